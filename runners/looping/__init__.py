"""`fareline loop`: one machine keeps a model fresh; what starts it, what it does, whom it tells."""
