"""What `dag.py` tells a node."""
