"""Reasons for an execution that did not come from the cache."""
