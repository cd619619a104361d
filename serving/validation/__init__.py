"""Checks with a real server whether a model can be served."""
