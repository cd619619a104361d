"""Artifacts, executions and what joins them, and the ways through them."""
