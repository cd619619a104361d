"""Is a model fit to serve? Asked of a real server."""
