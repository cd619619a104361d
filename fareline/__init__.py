"""What every room of the project stands on: the version and the errors. Imports nothing of ours."""

__version__ = "0.1.0"
