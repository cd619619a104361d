"""Checks that the store is consistent with the files and with itself."""
