"""Differences between two runs or models."""
