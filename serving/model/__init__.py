"""One loaded version of a model, and what it reads."""
