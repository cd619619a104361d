"""`lineage` upstream, downstream, path, impact."""
