"""Which split each row belongs to."""
