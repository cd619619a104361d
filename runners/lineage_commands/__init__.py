"""`fareline lineage …`: one module per group of commands. Light: no TFX, no TensorFlow."""

from runners.lineage_commands import care, compare, export, look, share, trace
from runners.lineage_commands.app import app

__all__ = ["app", "care", "compare", "export", "look", "share", "trace"]
