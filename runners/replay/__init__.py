"""Executes a compiled pipeline specification on this machine: see docs/specs.md."""
