"""What .ci/run decides to run on which machine, with stand-ins that only say they were called."""

import os
import shutil
import subprocess

import pytest

from fareline.packages import CHECKOUT

MAKE = """#!/bin/sh
[ "$1" != -C ] || { shift 2; set -- beside "$@"; }
[ "$1" = --version ] || echo "make $* ${FARELINE_STACK:+on $FARELINE_STACK}" >> "$CALLS"
case " $* " in *" $BROKEN "*) echo "make: *** [$BROKEN] Error 1"; exit 2 ;; esac
if [ "$1" = test ]; then echo "===== 9 passed in 1.00s ====="; fi
"""
# Stands in for the Python that would say whether one for the compat stack is there.
PYTHON = """#!/bin/sh
echo "python $* on $FARELINE_STACK" >> "$CALLS"
[ -n "$HAS_PYTHON310" ] || { echo "set-up: found no Python that serves" >&2; exit 2; }
"""
MOST = "tests/golden tests/component/runners/submit/test_compile.py"


@pytest.fixture
def checkout(tmp_path):
    """Builds a checkout on which `.ci/run` can be started, for a stack."""

    def build(stack):
        folder = tmp_path / "checkout"
        for name, text in {
            ".ci/install-packages": '#!/bin/sh\necho packages >> "$CALLS"\n',
            ".venv/bin/python": PYTHON,
            ".venv/fareline-stamp.json": f'{{\n  "stack": "{stack}",\n  "tfx": "1"\n}}',
            "bin/make": MAKE,
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        shutil.copy(CHECKOUT / ".ci" / "run", folder / ".ci" / "run")
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        return folder

    return build


def call(checkout, *arguments, **variables):
    """Runs it, and returns the exit code, what was called in turn, and what it printed."""
    calls = checkout / "calls"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FARELINE_")}
    path = f"{checkout}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [checkout / ".ci" / "run", *arguments],
        env={**inherited, "BROKEN": "none", **variables, "PATH": path, "CALLS": str(calls)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    lines = calls.read_text().splitlines() if calls.exists() else []
    return done.returncode, [line.strip() for line in lines], done.stdout


def test_on_the_compat_stack_the_current_one_runs_in_a_clean_debian(checkout):
    code, calls, said = call(checkout("compat"))
    assert code == 0, said
    assert calls[:2] == ["packages", "make setup"]
    assert calls[2].startswith(f"make test-newcomer ARGS={MOST} ")
    assert calls[3:] == ["make docs", "make test"]
    assert (
        "ci: LEFT OUT without --all: other tests on the other stack, test-stores, test-image, "
        "test-replays"
    ) in said
    assert said.splitlines()[-2:] == [
        "===== 9 passed in 1.00s =====",
        "ci: the compat stack here: make test: code 0 after 0 s",
    ]


def test_before_a_release_nothing_is_left_out_on_the_compat_stack(checkout):
    code, calls, said = call(checkout("compat"), "--all")
    assert code == 0, said
    assert calls[2:] == ["make test-current", "make test-stores", "make test-image",
                         "make test-replays", "make test-plants",
                         "make docs", "make test"]  # fmt: skip
    assert "LEFT OUT" not in said


def test_on_the_current_stack_the_compat_one_runs_in_a_clone(checkout):
    code, calls, said = call(checkout("current"), HAS_PYTHON310="1")
    assert code == 0, said
    assert calls[2:4] == [
        "make run",
        "python -S requirements/install.py --dry-run on compat",
    ]
    assert calls[4] == "make beside setup run on compat"
    assert calls[5].startswith(f"make beside test ARGS={MOST} ")
    assert calls[5].endswith("tests/component/runners/replay/test_light_check.py on compat")
    assert calls[6:] == ["make docs", "make test"]
    assert "ci: LEFT OUT: make test-stores" in said


def test_without_a_python_for_the_compat_stack_it_is_left_out_and_said(checkout):
    code, calls, said = call(checkout("current"), "--all")
    assert code == 0, said
    assert calls[4:] == ["make test-image", "make test-replays", "make test-plants", "make docs",
                         "make test"]  # fmt: skip
    assert "set-up: found no Python that serves" in said
    assert "ci: LEFT OUT: the compat stack, which no Python here serves (see above)" in said


@pytest.mark.parametrize("broken", ["test", "test-newcomer"])
def test_one_failure_fails_it_all_and_the_rest_still_runs(checkout, broken):
    code, calls, said = call(checkout("compat"), BROKEN=broken)
    assert code == 1
    assert calls[-1] == "make test"
    [last] = [line for line in said.splitlines() if line.startswith("ci: FAILED: ")]
    assert (": make test-newcomer ARGS=" in last) is (broken == "test-newcomer")
    assert said.splitlines()[-1] == last


def test_a_set_up_that_fails_ends_it(checkout):
    code, calls, _ = call(checkout("compat"), BROKEN="setup")
    assert code != 0
    assert calls == ["packages", "make setup"]


def test_other_arguments_are_refused(checkout):
    code, calls, said = call(checkout("compat"), "--al")
    assert (code, calls, said) == (2, [], "usage: .ci/run [--all]\n")


def test_the_tests_that_ask_most_are_there():
    text = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
    script = text[text.index("asking_most=") : text.index("beside=")] + 'echo "$asking_most"'
    named = subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.split()
    assert len(named) == 20
    assert [name for name in named if not (CHECKOUT / name).exists()] == []
