"""The check before ExampleGen's cache answers the same with few libraries as with all of them."""

import json
import os
import subprocess
import sys
import threading

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from fareline.packages import CHECKOUT
from pipeline.components import wanted_span
from runners.replay.processes import CHECKS, Command, Processes
from tests.forked import run_forked

_CONFIGS = {
    "plain": "span-1/*.csv",
    "spans": "span-{SPAN}/*.csv",
}


@pytest.fixture
def source(tmp_path):
    for span, text in ((1, "a\n1\n"), (2, "a\n1\n2\n")):
        folder = tmp_path / "data" / f"span-{span}"
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_text(text)
    return tmp_path / "data"


def _flags(source, output, kind, wanted=""):
    config = example_gen_pb2.Input(
        splits=[example_gen_pb2.Input.Split(name="all", pattern=_CONFIGS[kind])]
    )
    asked = pipeline_spec_pb2.ExecutorInput()
    values = asked.inputs.parameter_values
    values["input_base"].string_value = str(source)
    values["input_config"].string_value = proto_utils.proto_to_json(config)
    values["output_config"].string_value = "{}"
    if wanted:
        values["range_config"].string_value = wanted
    artifact = asked.outputs.artifacts["examples"].artifacts.add()
    artifact.type.schema_title = "tfx.Examples"
    artifact.uri, artifact.name = "/somewhere", "examples"
    asked.outputs.output_file = str(output)
    sent = json_format.MessageToJson(asked)
    return ["--json_serialized_invocation_args", sent, "--json_serialized_inputs_spec_args", "{}"]


_COUNTING = """
import atexit, sys
from runners.replay import light_check
heavy = ("keras", "tensorflow.python.framework.ops", "apache_beam.pipeline", "pandas")
atexit.register(lambda: print([name for name in heavy if name in sys.modules], len(sys.modules)))
light_check.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("module", "kind", "wanted", "span"),
    [
        (CHECKS[0], "plain", "", 0),
        (CHECKS[0], "spans", "", 2),
        (CHECKS[1], "spans", "latest", 2),
        (CHECKS[1], "spans", "1", 1),
    ],
)
def test_the_answer_is_that_of_all_libraries(tmp_path, source, module, kind, wanted, span):
    whole, light = tmp_path / "whole.json", tmp_path / "light.json"
    program = wanted_span if module == CHECKS[1] else driver
    program.main(driver._parse_flags(["program", *_flags(source, whole, kind, wanted)]))

    command = [sys.executable, "-c", _COUNTING, module, *_flags(source, light, kind, wanted)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert light.read_bytes() == whole.read_bytes()
    answer = json.loads(light.read_text())["parameterValues"]
    assert answer["span"] == span
    assert answer["input_fingerprint"].startswith("split:all,num_files:1,total_bytes:")
    found, _, modules = done.stdout.strip().rpartition(" ")
    assert found == "[]" and int(modules) < 1500


def test_what_is_wrong_is_said_as_by_all_libraries(tmp_path, source):
    arguments = _flags(source, tmp_path / "output.json", "spans", "soon")
    command = [sys.executable, "-m", "runners.replay.light_check", CHECKS[1], *arguments]
    light = subprocess.run(command, capture_output=True, text=True, timeout=120)
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    whole = run_forked([sys.executable, "-m", CHECKS[1], *arguments], CHECKOUT, environment)
    assert light.returncode == whole.returncode == 1
    said = [done.stderr.splitlines()[-1] for done in (light, whole)]
    assert said[0] == said[1] and "found 'soon'; expected the number of a span" in said[0]


@pytest.mark.parametrize(
    ("imports", "printed"),
    [
        ("import tensorflow as tf", "tf.constant([2.5]).numpy()"),
        # It cannot be loaded from its middle: the command is run as it is.
        ("import apache_beam.runners as beam", "beam.DirectRunner is not None"),
    ],
)
def test_whatever_else_is_asked_for_is_loaded(tmp_path, imports, printed):
    (tmp_path / "asking.py").write_text(f"{imports}\nimport sys\nprint({printed}, sys.argv[1:])\n")
    command = [sys.executable, "-m", "runners.replay.light_check", "asking", "a", "b"]
    paths = os.pathsep.join((str(tmp_path), str(CHECKOUT)))
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout in ("[2.5] ['a', 'b']\n", "True ['a', 'b']\n"), done.stderr


def test_checks_are_run_so_and_other_commands_as_they_are(tmp_path):
    with Processes((), tmp_path / "log", threading.Event()) as running:
        for name, module in (("check", CHECKS[0]), ("other", "json.tool")):
            words = ("python", "-m", module, "--help")
            command = Command(words, {}, tmp_path, tmp_path / f"{name}.log")
            command.write_script(tmp_path / f"{name}.sh")
            assert running.run(command) == 0
    assert "usage: driver.py" in (tmp_path / "check.log").read_text()
    assert f"-m {CHECKS[0]} --help" in (tmp_path / "check.sh").read_text()
    assert "light_check" not in (tmp_path / "check.sh").read_text()
