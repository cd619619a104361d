"""Beam transforms of ExampleGen."""
