"""Conditions of CEL, the part that TFX's Cond and kfp's If write, decided on handmade inputs."""

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from runners.replay.reading.conditions import ConditionError, decide, inputs_named

INPUTS = json_format.ParseDict(
    {
        "artifacts": {
            "model": {"artifacts": [{"uri": "/m", "metadata": {"blessed": 1, "by": "E", "x": 2.5}}]}
        },
        "parameterValues": {"mode": "go", "n": 3, "on": True},
    },
    pipeline_spec_pb2.ExecutorInput.Inputs(),
)
BLESSED = "inputs.artifacts['model'].artifacts[0].metadata['blessed']"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"({BLESSED} == 1.0)", True),
        (f"!({BLESSED} == 1.0)", False),
        ("(inputs.artifacts['model'].artifacts[0].metadata['x'] > 2.5)", False),
        ("(inputs.artifacts['model'].artifacts[0].metadata['x'] < 2.6)", True),
        ("(inputs.artifacts['model'].artifacts[0].uri == '/m')", True),
        ("((inputs.artifacts['model'].artifacts[0].uri + '/a') == '/m/a')", True),
        (f"({BLESSED} == 1.0) && (inputs.parameters['mode'] == 'stop')", False),
        ("(inputs.parameters['mode'] == 'stop') || inputs.parameter_values['on']", True),
        ("inputs.parameter_values['n'] != 3", False),
        ("inputs.parameter_values['n'] >= 3 && inputs.parameter_values['n'] <= 3", True),
        # Other types are never equal, as in CEL's dynamic values.
        ("inputs.parameter_values['n'] == '3'", False),
        ("inputs.parameter_values['mode'] == \"go\" == true", None),
        ("true", True),
    ],
)
def test_conditions_are_decided_as_cel_does(condition, expected):
    if expected is None:
        with pytest.raises(ConditionError, match="'==' follows its end"):
            decide(condition, INPUTS)
    else:
        assert decide(condition, INPUTS) is expected


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("inputs.parameter_values['n']", "it comes out as 3.0; expected true or false"),
        ("inputs.parameters['none'] == 'x'", "'none' is not there"),
        ("size(inputs.parameters['mode']) == 2", "'size' is not known here"),
        ("inputs.parameters['mode'] < 3", "'go' and 3.0 cannot be compared by <"),
        ("inputs.parameters['mode'] % 3", "'% 3' is not known here"),
        ("(inputs.parameters['mode'] == 'go'", "a ')' is missing"),
        ("inputs.parameters['mode'] ==", "it ends too early"),
        ("!inputs.parameters['mode']", "'go' is neither true nor false"),
        ("inputs.parameters['on'] + 'x' == 'y'", "True and 'x' cannot be added"),
    ],
)
def test_what_cannot_be_decided_is_said(condition, found):
    with pytest.raises(ConditionError) as raised:
        decide(condition, INPUTS)
    assert f"condition {condition}: {found}" in str(raised.value)


def test_the_inputs_that_a_condition_reads_are_known_beforehand():
    condition = f"{BLESSED} == 1.0 && inputs.parameter_values['mode'] == 'go'"
    assert inputs_named(condition) == {("artifacts", "model"), ("parameters", "mode")}
    assert inputs_named("") == set()
