"""The Beam runner of local runs, and what it remembers of one pipeline."""
