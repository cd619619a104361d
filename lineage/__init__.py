"""Questions to an ML Metadata store. Imports ml_metadata, not tfx, tensorflow or other packages."""
