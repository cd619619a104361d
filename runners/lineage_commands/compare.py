"""`lineage` diff, models, explain-cache, reproduce."""
