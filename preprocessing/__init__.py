"""Turning raw columns into what the network reads, by the feature kinds in the settings."""
