"""Feedback of a workspace, as its settings say: handed in, sealed, recorded in ML Metadata."""
