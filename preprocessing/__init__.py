"""Converts raw columns to the inputs of the network, by the feature kinds in the settings."""
