"""Reasons why a model was blessed and pushed, or was not."""
