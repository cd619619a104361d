"""The network, how it is searched for, trained and exported; called by TFX through dotted paths."""
