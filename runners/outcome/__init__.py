"""What came of a run, for a reader."""
