"""The settings file: loading it, and one module for each of its sections."""
