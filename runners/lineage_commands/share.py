"""`lineage` export, ui."""
