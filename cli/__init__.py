"""The command line: `fareline X` is `cli/X.py`, `fareline X Y` is `cli/X/Y.py`."""
