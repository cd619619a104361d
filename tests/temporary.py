"""Temporary folders of tests in memory, where there is enough of it. Loaded by tests/conftest.py.

Stores and databases wait for the disk at each commit, several milliseconds each time, and a test
makes hundreds of commits. Nothing is claimed here of what outlives a machine that loses its power.
Whoever sets PYTEST_DEBUG_TEMPROOT or --basetemp says where instead.
"""

import os
import shutil

import psutil

IN_MEMORY = "/dev/shm"
_VARIABLE = "PYTEST_DEBUG_TEMPROOT"
# What all tests leave until the end, and as much again for the processes that they run.
NEEDED_BYTES = 8 << 30


def has_room(folder=IN_MEMORY) -> bool:
    """Whether tests may use a folder in memory: there is room, and programs in it may run."""
    if not os.access(folder, os.W_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    free = min(shutil.disk_usage(folder).free, psutil.virtual_memory().available)
    return free >= NEEDED_BYTES


def root() -> str | None:
    """The folder that temporary ones are made in; None is the system's."""
    return os.environ.get(_VARIABLE)


if has_room():
    os.environ.setdefault(_VARIABLE, IN_MEMORY)
