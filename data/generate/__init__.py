"""Generated rows, whole or cut into spans."""
