"""Opening an ML Metadata store, of whatever kind, and reading it without a trace."""
