"""Resolvers of local runs: artifacts that a node finds in the store before it starts."""
