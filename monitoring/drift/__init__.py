"""Drift: two samples of rows compared, column by column."""
