"""Upstream and downstream chains, and the paths between two elements."""
