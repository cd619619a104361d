"""The payloads that may be deleted."""
