"""The runs and their outcomes."""
