"""What Vertex AI shows beside a version: its evaluation, its run in Experiments, its lineage.

Written after a push, and again by the next push of the same model: whatever is there stays.
"""
