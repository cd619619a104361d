"""A model in use, watched: windows of its prediction log against what it was evaluated on."""
