"""Sections of the settings about how and when a pipeline runs."""
