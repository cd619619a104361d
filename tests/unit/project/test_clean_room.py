"""The proof on a clean Debian 13: what it reads, refuses and says. Builds and mounts nothing."""

import importlib
import os
import subprocess
import sys

import pytest

from fareline.packages import CHECKOUT

SCRIPT = CHECKOUT / ".ci" / "debian13.py"
sys.path.insert(0, str(SCRIPT.parent))  # where the scripts there find each other
clean_debian, debian13 = (importlib.import_module(name) for name in ("clean_debian", "debian13"))


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("ARGS", clean_debian.SKIP, clean_debian.MIRROR):
        monkeypatch.delenv(name, raising=False)


def call(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-S", SCRIPT, *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_a_command_it_runs_and_tests(monkeypatch):
    monkeypatch.setenv("ARGS", "tests/unit -x")
    chosen = debian13.parse_arguments([])
    assert chosen.commands == [
        ["make", "run"],
        [".ci/install-packages"],
        ["make", "test-all", "ARGS=tests/unit -x"],
    ]
    assert not (chosen.dirty or chosen.fresh or chosen.keep)


def test_a_newcomer_has_what_the_readme_asks_for_and_nothing_else(monkeypatch):
    monkeypatch.setenv("ARGS", "tests/golden")
    chosen = debian13.parse_arguments(["--newcomer"])
    assert chosen.commands == [["make", "run"], ["make", "test", "ARGS=tests/golden"]]
    readme = (SCRIPT.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"apt install {' '.join(debian13.PACKAGES)}" in readme
    assert "CI" not in debian13.inside_environment()  # a program that is missing skips a test


def test_a_command_keeps_its_own_options():
    chosen = debian13.parse_arguments(["--dirty", "make", "--dry-run", "lint"])
    assert chosen.commands == [["make", "--dry-run", "lint"]]
    assert chosen.dirty


def test_skipping_is_announced_and_does_nothing(tmp_path):
    done = call(FARELINE_SKIP_CURRENT="1")
    assert done.returncode == 0
    assert "debian13: SKIPPED, since FARELINE_SKIP_CURRENT=1: nothing is proved" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("value", ["", "0", "yes"])
def test_only_1_skips(value, monkeypatch, capsys):
    monkeypatch.setenv(clean_debian.SKIP, value)
    monkeypatch.setattr(debian13, "prove", lambda *_: 7)
    monkeypatch.setattr(debian13.signal, "signal", lambda *_: None)
    assert debian13.main([]) == 7
    assert "SKIPPED" not in capsys.readouterr().err


def test_without_root_it_fails_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(clean_debian.platform, "system", lambda: "Linux")
    monkeypatch.setattr(clean_debian.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(clean_debian.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(debian13.signal, "signal", lambda *_: None)
    assert debian13.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("debian13: the user is not root; root was expected")
    assert "FARELINE_SKIP_CURRENT=1" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_another_system_is_refused(monkeypatch):
    monkeypatch.setattr(clean_debian.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(clean_debian.platform, "machine", lambda: "arm64")
    with pytest.raises(clean_debian.CannotRun, match="this machine is Darwin arm64; Linux"):
        clean_debian.check_machine()


def test_an_archive_that_cannot_be_reached_is_said_and_leaves_no_root(monkeypatch, tmp_path):
    def fail(command, stdout, **_):
        stdout.write(b"I: Retrieving\nE: Failed getting release file\n")
        return 1

    monkeypatch.setattr(clean_debian, "get_debootstrap", lambda: None)
    monkeypatch.setattr(clean_debian, "run", fail)
    with pytest.raises(clean_debian.CannotRun, match="code 1 .E: Failed getting release.*Hint: "):
        clean_debian.ensure_root(tmp_path, debian13.PACKAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["debootstrap.log"]


def test_a_root_that_was_built_is_used_again_and_another_recipe_is_another_root(
    monkeypatch, tmp_path
):
    root = tmp_path / clean_debian.root_name(debian13.PACKAGES)
    root.mkdir()
    monkeypatch.setattr(clean_debian, "run", lambda *_, **__: pytest.fail("it was built again"))
    assert clean_debian.ensure_root(tmp_path, debian13.PACKAGES) == root
    monkeypatch.setenv(clean_debian.MIRROR, "made-up")
    assert clean_debian.root_name(debian13.PACKAGES) != root.name


def test_what_a_killed_start_left_is_deleted_and_what_is_in_use_is_not(tmp_path):
    for name in ("run-dead", "run-alive"):
        (tmp_path / name / "root").mkdir(parents=True)
    with open(tmp_path / "run-alive" / "lock", "w") as lock:
        debian13.fcntl.flock(lock, debian13.fcntl.LOCK_EX)
        debian13.delete_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run-alive"]


def test_only_what_the_network_takes_comes_along(monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "made-up")
    monkeypatch.setenv("https_proxy", "made-up")
    for name in ("UV_CACHE_DIR", "PIP_FIND_LINKS", "PYTHONPATH", "FARELINE_STACK", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/somewhere")
    inside = debian13.inside_environment()
    assert inside["UV_DEFAULT_INDEX"] == inside["https_proxy"] == "made-up"
    assert inside["HOME"] == debian13.HOME
    assert "/somewhere" not in inside.values()


def test_a_file_is_never_written_through_a_link_out_of_the_root(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "etc").symlink_to(outside)
    source = tmp_path / "hosts"
    source.write_text("new")
    with pytest.raises(clean_debian.CannotRun, match="in a folder reached through a link"):
        debian13.place(source, root, "/etc/hosts")
    assert not list(outside.iterdir())

    (outside / "hosts").write_text("old")
    (root / "var").mkdir()
    (root / "var" / "hosts").symlink_to(outside / "hosts")
    debian13.place(source, root, "/var/hosts")
    assert (outside / "hosts").read_text() == "old"
    assert (root / "var" / "hosts").read_text() == "new"


def test_certificates_named_in_pip_conf_are_found(tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\ncert = /made/up/ca.crt\ntimeout = 5\n[install]\ncert = here\n")
    assert debian13.certificates_named_in(settings) == ["/made/up/ca.crt"]
    assert debian13.certificates_named_in(tmp_path / "none.conf") == []


def test_a_program_is_ended_when_this_one_is_stopped(monkeypatch):
    started = []

    class Stopped(clean_debian.subprocess.Popen):
        def wait(self, timeout=None):
            if not started:
                started.append(self)
                raise SystemExit(130)
            return super().wait(timeout)

    monkeypatch.setattr(clean_debian.subprocess, "Popen", Stopped)
    with pytest.raises(SystemExit):
        clean_debian.run(["sleep", "60"])
    assert started[0].returncode == -9
