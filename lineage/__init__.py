"""Questions to an ML Metadata store. Imports ml_metadata only: never tfx, tensorflow or other rooms."""
