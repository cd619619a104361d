"""Logged predictions joined with their outcomes, and sealed as spans that a pipeline reads."""
