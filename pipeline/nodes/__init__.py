"""Arguments that `dag.py` passes to each node."""
