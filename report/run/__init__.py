"""The page of a run: one typed document gathered from a store, and the HTML that shows it."""
