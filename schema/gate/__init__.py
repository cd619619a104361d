"""Anomalies of data against the contract, and what becomes of them."""
