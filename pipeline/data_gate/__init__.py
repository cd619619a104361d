"""What DataPolicy, DataGate and DriftMonitor look at: rows, coverage, what passed before."""
