"""`fareline runs`: the same as `fareline lineage runs`."""

from cli.lineage.runs import runs

__all__ = ["runs"]
