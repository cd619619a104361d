"""Text for a terminal: trees, times, nothing that a terminal would obey."""
