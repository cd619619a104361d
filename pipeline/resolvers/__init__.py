"""What a run on this machine finds in the store before a node starts."""
