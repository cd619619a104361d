"""The network: search, training and export; called by TFX through dotted paths."""
