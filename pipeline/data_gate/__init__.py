"""Checks of DataPolicy, DataGate and DriftMonitor: rows, coverage, passed data."""
