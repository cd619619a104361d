"""Consequences of observations of a live model: the policy, and the loop that applies it."""
