"""`fareline lineage models`: the same as `fareline models`."""

from cli.models import models

__all__ = ["models"]
