"""The models that data or a file has reached."""
