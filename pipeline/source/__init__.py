"""Checks of a source before a run."""
