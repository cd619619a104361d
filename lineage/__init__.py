"""Questions to an ML Metadata store. Imports ml_metadata, never tfx, tensorflow or other rooms."""
