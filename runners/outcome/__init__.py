"""The outcome of a run, for a reader."""
