"""Whole runs: how long each takes, and where the time goes."""
