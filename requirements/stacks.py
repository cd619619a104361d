"""Which stacks there are, what each needs of a machine, and which one a machine gets.

Called by `install.py` and by the tests. Standard library only and nothing newer than Python 3.8:
it runs before anything is installed. Decides from what it is handed; runs no program.
"""

import os
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

Version = Tuple[int, int]


class Machine(NamedTuple):
    """What decides which wheels a machine can install."""

    system: str  # "Linux", "Darwin"
    processor: str  # "x86_64", "arm64"
    glibc: Optional[Version]  # None where the C library is another one


class Stack(NamedTuple):
    """One set of versions that belong together, and the machines that its wheels were built for."""

    name: str
    tfx: str
    tensorflow: str
    pythons: Tuple[Version, ...]  # best first
    glibc: Version  # oldest
    macos_arm64: bool
    lock: str  # the file of pins under requirements/, {py} stands for e.g. py312
    # Per Python, the packages with no wheel for Linux, which need a C++ compiler and Python.h. Not
    # said for macOS: there make and git come with a compiler, and every Python with its headers.
    compiles: Dict[Version, Tuple[str, ...]]

    def lock_files(self, version: Version) -> List[str]:
        """Names the two files of pins, what runs and what tests."""
        name = self.lock.format(py="py%d%d" % version)
        return [name + ".txt", name + "-dev.txt"]


STACKS = (
    Stack(
        name="current",
        tfx="1.21.0",
        tensorflow="2.21",
        pythons=((3, 13), (3, 12), (3, 11), (3, 10)),
        glibc=(2, 39),
        macos_arm64=True,
        lock="current-{py}",
        compiles={(3, 10): ("pyfarmhash",)},
    ),
    Stack(
        name="compat",
        tfx="1.16.0",
        tensorflow="2.16",
        pythons=((3, 10),),
        glibc=(2, 17),
        macos_arm64=False,
        lock="compat",
        compiles={(3, 10): ("pyfarmhash",)},
    ),
)


class Choice(NamedTuple):
    """A stack and a version of Python whose pins exist, best first in a list of them."""

    stack: Stack
    version: Version

    @property
    def compiles(self) -> Tuple[str, ...]:
        """The packages that have no wheel for this Python."""
        return self.stack.compiles.get(self.version, ())


def detect_machine() -> Machine:
    """Looks at the kernel's and the C library's names."""
    uname = os.uname()
    return Machine(uname.sysname, uname.machine, _detect_glibc())


def _detect_glibc() -> Optional[Version]:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) if name == "glibc" else None
    except (ValueError, OSError):  # macOS and musl do not know the name
        return None


def describe_machine(machine: Machine) -> str:
    """Says in a few words what was found, for progress lines and errors."""
    if machine.system == "Linux":
        libc = "glibc %d.%d" % machine.glibc if machine.glibc else "a C library other than glibc"
        return "Linux %s with %s" % (machine.processor, libc)
    return "%s %s" % (machine.system, machine.processor)


def describe_versions(versions: Iterable[Version]) -> str:
    """Writes versions as a person would: `3.13, 3.12 or 3.10`."""
    names = ["%d.%d" % version for version in versions]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def explain_misfit(stack: Stack, machine: Machine) -> Optional[str]:
    """Says why a stack's wheels cannot be installed on a machine, or None if they can."""
    needs = "glibc %d.%d or newer on Linux x86_64" % stack.glibc
    if stack.macos_arm64:
        needs += ", or macOS on arm64"
    linux = machine.system == "Linux" and machine.processor == "x86_64"
    if linux and machine.glibc and machine.glibc >= stack.glibc:
        return None
    if stack.macos_arm64 and (machine.system, machine.processor) == ("Darwin", "arm64"):
        return None
    return "the %s stack (TFX %s) needs %s" % (stack.name, stack.tfx, needs)


def list_choices(
    machine: Machine, lock_names: Iterable[str], only: Optional[str] = None
) -> Tuple[List[Choice], List[str]]:
    """Lists what this machine could install, best first, and why the rest is not in the list.

    Args:
        machine: From `detect_machine`.
        lock_names: The names of the files under requirements/.
        only: The one stack that was asked for, or None.

    Returns:
        The choices, and one line for each stack, or part of it, that was passed over.
    """
    present = set(lock_names)
    choices, passed_over = [], []
    for stack in STACKS:
        if only not in (None, stack.name):
            continue
        misfit = explain_misfit(stack, machine)
        if misfit:
            passed_over.append(misfit)
            continue
        pinned = [v for v in stack.pythons if present.issuperset(stack.lock_files(v))]
        choices.extend(Choice(stack, version) for version in pinned)
        unpinned = [version for version in stack.pythons if version not in pinned]
        if unpinned:
            passed_over.append(
                "the %s stack (TFX %s) has no pins yet for Python %s"
                % (stack.name, stack.tfx, describe_versions(unpinned))
            )
    return choices, passed_over
