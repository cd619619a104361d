"""What is wrong with a source, before a run."""
