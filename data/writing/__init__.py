"""Rows and examples into files."""
