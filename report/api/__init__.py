"""Runs, models and artifacts of a workspace as Python objects: what `fareline.open` gives."""
