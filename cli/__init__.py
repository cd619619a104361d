"""The command line: `fareline X` is `cli/X.py`, `fareline X Y` is `cli/X/Y.py`."""

from fareline.start import secure_names

secure_names()
