"""`fareline doctor`: what this machine can do and what is missing, without importing TensorFlow."""

import dataclasses
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import typer
from rich.console import Console
from rich.text import Text

from cli.answer import answer
from cli.options import JsonOption
from lineage.text.tables import Column, print_table

PACKAGES = (
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "ml-metadata",
    "apache-beam",
    "protobuf",
)
NEEDED_DISK_GIB = 2.0  # a cold run writes about 50 MB; Beam and TensorFlow want room to spill
NEEDED_MEMORY_GIB = 3.0  # peak of a cold run of the taxi pipeline, its model server included: 2.3


def doctor(as_json: JsonOption = False) -> None:
    """Report what this machine supports and what is missing."""
    report = examine()
    answer(as_json, report.as_json(), lambda console: draw_report(console, report))
    raise typer.Exit(0 if report.can_run else 1)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        found: The finding, in words.
        ok: Whether that is enough.
        hint: Advice if the check fails.
        required: Whether `fareline run` needs it.
    """

    what: str
    found: str
    ok: bool
    hint: str = ""
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that was looked at."""

    stack: str
    findings: tuple[Finding, ...]

    @property
    def can_run(self) -> bool:
        """Whether nothing that `fareline run` needs is missing."""
        return all(f.ok for f in self.findings if f.required)

    def as_json(self) -> dict[str, Any]:
        """Keys: stack, can_run, findings."""
        findings = [dataclasses.asdict(f) for f in self.findings]
        return {"stack": self.stack, "can_run": self.can_run, "findings": findings}


def examine(folder: Path | None = None) -> Report:
    """Looks at interpreter, packages, disk, memory and optional programs.

    Args:
        folder: Folder on the disk to check; default: the current folder.
    """
    from runners.provenance import STACKS

    tfx_version = _version("tfx") or ""
    stack = STACKS.get(".".join(tfx_version.split(".")[:2]), "unknown")
    findings = [
        Finding("python", f"{platform.python_version()} at {sys.executable}", True),
        Finding("C library", " ".join(platform.libc_ver()) or platform.platform(), True),
        *(_package(name) for name in PACKAGES),
        _disk(folder or Path.cwd()),
        _memory(),
        *(capability() for capability in CAPABILITIES),
    ]
    return Report(stack, tuple(findings))


def _package(name: str) -> Finding:
    found = _version(name)
    return Finding(name, found or "not installed", bool(found), "make setup", required=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    enough = free >= NEEDED_DISK_GIB
    hint = f"free at least {NEEDED_DISK_GIB:g} GiB"
    return Finding("free disk", f"{free:.1f} GiB", enough, hint, required=True)


def _memory() -> Finding:
    free = psutil.virtual_memory().available / 2**30
    enough = free >= NEEDED_MEMORY_GIB
    hint = f"close something: a run needs {NEEDED_MEMORY_GIB:g} GiB"
    return Finding("free memory", f"{free:.1f} GiB", enough, hint, required=True)


def _serving() -> Finding:
    found = shutil.which("tensorflow_model_server")
    return Finding(
        "infra validation with TensorFlow Serving",
        found or "no tensorflow_model_server on PATH: our own server is used",
        bool(found),
        "install TensorFlow Serving",
    )


def _tensorboard() -> Finding:
    found = _version("tensorboard")
    words = f"tensorboard {found}" if found else "no tensorboard installed"
    return Finding("training curves", words, bool(found), "make setup")


def _kfp() -> Finding:
    found = _version("kfp")
    return Finding(
        "compiling for Kubeflow", f"kfp {found}" if found else "no kfp", bool(found), "make setup"
    )


CAPABILITIES: tuple[Callable[[], Finding], ...] = (_serving, _tensorboard, _kfp)


def draw_report(console: Console, report: Report) -> None:
    """Prints the findings as a table; the sign says what the colour says."""
    console.print(f"Stack: {report.stack}", style="italic")
    rows = []
    for f in report.findings:
        bad = ("✗", "red") if f.required else ("○", "yellow")
        sign, style = ("✓", "green") if f.ok else bad
        rows.append([Text(sign, style), f.what, f.found, "" if f.ok else f.hint])
    found = Column("found", is_path=True)
    print_table(console, ("", "what", found, "what to do"), rows)
    verdict = "can" if report.can_run else "cannot"
    console.print(f"This machine {verdict} run the pipeline; ○ marks what is optional.")
