"""The doctor says what is there, what is missing, and what to do; what a run needs decides."""

import collections
import importlib.metadata
import json
import subprocess
import sys

import pytest
from rich.console import Console

from cli import doctor
from cli.doctor import CAPABILITIES, PACKAGES, Finding, Report, draw_report, examine
from fareline.packages import CHECKOUT

GIB = 2**30
Usage = collections.namedtuple("Usage", "total used free")
Memory = collections.namedtuple("Memory", "available")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with everything that a run needs and nothing optional; change it as you like."""
    parts = {
        "versions": dict.fromkeys(PACKAGES, "1.0") | {"tfx": "1.16.0"},
        "programs": {},
        "disk": 2 * GIB,
        "memory": 3 * GIB,
    }

    def version(name):
        if name not in parts["versions"]:
            raise importlib.metadata.PackageNotFoundError(name)
        return parts["versions"][name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: parts["programs"].get(name))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(0, 0, parts["disk"]))
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: Memory(parts["memory"]))
    monkeypatch.setenv("HOME", str(tmp_path))
    return parts


def finding(report, what):
    [found] = [f for f in report.findings if f.what == what]
    return found


def test_a_machine_with_just_enough_can_run(machine):
    report = examine()
    assert report.can_run
    assert report.stack == "compat"
    assert finding(report, "tfx") == Finding("tfx", "1.16.0", True, "make setup", required=True)
    assert finding(report, "free disk").found == "2.0 GiB"
    assert finding(report, "free memory").found == "3.0 GiB"
    python = finding(report, "python")
    assert python.found == f"{sys.version.split()[0]} at {sys.executable}"
    assert [f.what for f in report.findings if not f.ok] == [
        "infra validation with TensorFlow Serving",
        "training curves",
        "compiling for Kubeflow",
    ]


@pytest.mark.parametrize(
    ("version", "stack"),
    [("1.16.1", "compat"), ("1.21.0", "current"), ("1.2.1", "unknown"), ("2.0", "unknown")],
)
def test_the_stack_is_told_by_the_version_of_tfx(machine, version, stack):
    machine["versions"]["tfx"] = version
    assert examine().stack == stack


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_named_and_nothing_can_run(machine, package):
    del machine["versions"][package]
    report = examine()
    assert not report.can_run
    missing = Finding(package, "not installed", False, "make setup", required=True)
    assert finding(report, package) == missing
    assert report.stack == ("unknown" if package == "tfx" else "compat")


def test_too_little_disk(machine):
    machine["disk"] = int(1.94 * GIB)
    report = examine()
    assert not report.can_run
    assert finding(report, "free disk") == Finding(
        "free disk", "1.9 GiB", False, "free at least 2 GiB", required=True
    )


def test_too_little_memory(machine):
    machine["memory"] = int(0.5 * GIB)
    report = examine()
    assert not report.can_run
    assert finding(report, "free memory") == Finding(
        "free memory", "0.5 GiB", False, "close something: a run needs 3 GiB", required=True
    )


def test_nothing_optional_stops_a_run(machine):
    report = examine()
    optional = [capability() for capability in CAPABILITIES]
    assert [f.required for f in optional] == [False] * 3
    assert all(f.hint for f in optional)
    assert list(report.findings[-3:]) == optional
    assert finding(report, "training curves").found == "no tensorboard installed"
    assert finding(report, "infra validation with TensorFlow Serving").found == (
        "no tensorflow_model_server on PATH: our own server is used"
    )


def test_what_is_optional_and_there(machine):
    machine["programs"] = {"tensorflow_model_server": "/bin/tensorflow_model_server"}
    machine["versions"]["kfp"] = "2.5.0"
    machine["versions"]["tensorboard"] = "2.16.2"
    report = examine()
    assert all(f.ok for f in report.findings)
    assert [f.found for f in report.findings[-3:]] == [
        "/bin/tensorflow_model_server",
        "tensorboard 2.16.2",
        "kfp 2.5.0",
    ]


def test_the_json_answer(machine):
    answer = json.loads(json.dumps(examine().as_json()))
    assert list(answer) == ["stack", "can_run", "findings"]
    assert (answer["stack"], answer["can_run"]) == ("compat", True)
    assert answer["findings"][2] == {
        "what": "tfx",
        "found": "1.16.0",
        "ok": True,
        "hint": "make setup",
        "required": True,
    }


def test_the_table_says_in_signs_what_colours_say(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    report = Report(
        "compat",
        (
            Finding("tfx", "1.16.0", True, "make setup", required=True),
            Finding("free disk", "0.1 GiB", False, "free at least 2 GiB", required=True),
            Finding("compiling for Kubeflow", "no kfp", False, "make setup"),
        ),
    )
    draw_report(Console(), report)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "Stack: compat",
        "what found what to do",
        "✓ tfx 1.16.0",
        "✗ free disk 0.1 GiB free at least 2 GiB",
        "○ compiling for Kubeflow no kfp make setup",
        "This machine cannot run the pipeline; ○ marks what is optional.",
    ]


def test_this_environment_has_every_package():
    report = examine()
    assert report.stack in ("compat", "current")
    assert [f.what for f in report.findings if f.what in PACKAGES and not f.ok] == []


def test_the_doctor_loads_nothing_heavy():
    code = (
        "import sys; from cli.doctor import examine; examine();"
        "print([m for m in ('tensorflow', 'tfx', 'keras', 'apache_beam') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == "[]\n"
