"""The models with their quality."""
