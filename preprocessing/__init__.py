"""Turning raw columns into what the network reads, by the settings: features.py and transform.py."""
