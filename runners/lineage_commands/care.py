"""`lineage` inputs, verify, prune."""
