"""Batch prediction on Vertex AI: rows in the bucket, a job on a registered version, its answers."""
