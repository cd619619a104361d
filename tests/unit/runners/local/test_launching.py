"""runners.local.launching: what a node ends with is its failure, whatever its code raises."""

import asyncio
import contextlib
import errno
import sys
import traceback

import pytest
from tfx.proto.orchestration import pipeline_pb2

from fareline.disk import DiskError
from lineage.facts.failures import read_failure
from runners.local.launching import NodeLauncher


class _Stop(BaseException):
    pass


class _Launcher(NodeLauncher):
    """Launches a function in place of a node; notes what is recorded."""

    def __init__(self, node):
        self.compiled = pipeline_pb2.Pipeline()
        self._node_logs = None
        self._launch = lambda _name: node()
        self.recorded = []

    def record_failure(self, name, error):
        self.recorded.append("".join(traceback.format_exception(None, error, error.__traceback__)))


def _raising(error):
    def users_function():
        raise error

    return users_function


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (lambda: sys.exit(), "called sys.exit(None);"),
        (lambda: sys.exit(0), "called sys.exit(0);"),
        (lambda: sys.exit(3), "called sys.exit(3);"),
        (lambda: sys.exit("no data"), "called sys.exit('no data');"),
        (_raising(GeneratorExit()), "raised GeneratorExit();"),
        (_raising(asyncio.CancelledError()), "raised CancelledError();"),
        (_raising(_Stop("here")), "raised _Stop('here');"),
    ],
)
def test_code_that_leaves_the_process_fails_its_node(node, told):
    launcher = _Launcher(node)
    with pytest.raises(RuntimeError) as caught:
        launcher.launch("Trainer")
    assert told in str(caught.value)
    [text] = launcher.recorded
    failure = read_failure(text)
    assert told in failure.error
    function = "users_function" if "exit(" not in told else "<lambda>"
    assert failure.place.endswith(f", in {function}")
    assert failure.place.startswith("tests/unit/runners/local/test_launching.py:")


def test_a_full_disk_is_told_with_what_the_node_took_before(tmp_path):
    def fill():
        raise OSError(errno.ENOSPC, "No space left on device")

    launcher = _Launcher(fill)
    launcher.compiled.runtime_spec.pipeline_root.field_value.string_value = str(tmp_path)
    for outputs, sizes in {"model": (1, 2, 0), "model_run": (3,)}.items():
        for execution, size in enumerate(sizes):
            folder = tmp_path / "Trainer" / outputs / str(execution) / "Format-Serving"
            folder.mkdir(parents=True)
            with (folder / "weights").open("wb") as file:
                file.truncate(size << 50)  # more than there is anywhere, and no byte of it written
    for node, expected in {
        "Trainer": "expected 5,120.0 TiB for",
        "Tuner": "expected room for",
    }.items():
        with pytest.raises(DiskError, match=f"is full .* free\\); {expected} what is written"):
            launcher.launch(node)


def test_an_interrupt_stays_one():
    launcher = _Launcher(_raising(KeyboardInterrupt()))
    with contextlib.suppress(KeyboardInterrupt):
        launcher.launch("Trainer")
        raise AssertionError
    assert launcher.recorded == []
