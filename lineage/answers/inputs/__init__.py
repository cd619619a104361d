"""The files and spans that were read."""
