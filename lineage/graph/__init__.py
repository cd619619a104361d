"""Artifacts, executions and links, and walks through them."""
