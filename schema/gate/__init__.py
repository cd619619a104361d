"""Anomalies of data with respect to the contract, and the decisions about them."""
