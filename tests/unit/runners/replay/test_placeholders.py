"""Placeholders of commands, and artifacts on their way between containers and the store."""

import json

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from runners.replay.artifacts import artifact_type, metadata_of, to_runtime, to_stored
from runners.replay.reading.placeholders import Job, PlaceholderError, fill
from runners.replay.resolver import QueryError, select

JOB = Job("run-1", "Trainer", "/root", "2026-01-01T00:00:00+00:00")
GIVEN = json_format.ParseDict(
    {
        "inputs": {
            "parameterValues": {"text": "a 'b'", "n": 3, "half": 0.5, "on": True, "list": [1, "x"]},
            "artifacts": {
                "model": {"artifacts": [{"name": "artifact-4", "uri": "/m", "metadata": {
                    "blessed": 1, "by": "me"}}]},
                "none": {},
            },
        },
        "outputs": {
            "artifacts": {"out": {"artifacts": [{"uri": "/o"}]}},
            "parameters": {"p": {"outputFile": "/p"}},
            "outputFile": "/answer.json",
        },
    },
    pipeline_spec_pb2.ExecutorInput(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{$.inputs.parameters['text']}}", "a 'b'"),
        ("--n={{$.inputs.parameters['n']}}", "--n=3"),
        ("{{$.inputs.parameters['half']}}", "0.5"),
        ("{{$.inputs.parameters['on']}}", "true"),
        ("{{$.inputs.artifacts['model'].uri}}/{{$.inputs.artifacts['model'].path}}", "/m//m"),
        ("{{$.inputs.artifacts['model'].name}}", "artifact-4"),
        ("{{$.inputs.artifacts['model'].metadata['by']}}", "me"),
        ("{{$.inputs.artifacts['model'].metadata['blessed']}}", "1"),
        ("{{$.outputs.artifacts['out'].uri}}", "/o"),
        ("{{$.outputs.parameters['p'].output_file}}", "/p"),
        ("{{$.outputs.output_file}}", "/answer.json"),
        ("{{$.pipeline_job_name}} {{$.pipeline_task_name}} {{$.pipeline_root}}",
         "run-1 Trainer /root"),
        ("{{not one}} {$}", "{{not one}} {$}"),
    ],
)  # fmt: skip
def test_placeholders_are_filled(text, expected):
    assert fill(text, GIVEN, JOB) == expected


def test_the_whole_input_is_what_the_protocol_buffer_says():
    text = fill("{{$}}", GIVEN, JOB)
    assert json_format.Parse(text, pipeline_spec_pb2.ExecutorInput()) == GIVEN
    assert json.loads(fill("{{$.inputs.parameters['list']}}", GIVEN, JOB)) == [1, "x"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{$.inputs.parameters['m']}}",
         "names what the task does not have; expected one of half, list, n, on, text"),
        ("{{$.inputs.artifacts['none'].uri}}",
         "names what the task does not have; expected one of model"),
        ("{{$.inputs.artifacts['model'].metadata['x']}}", "expected one of blessed, by"),
        ("{{$.outputs.parameters['q'].output_file}}", "expected one of p"),
        ("{{$.inputs.artifacts['model'].size}}", "asks for something that artifacts have not"),
        ("{{$.json_escape[1]}}", "is not known here"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_is_said(text, found):
    with pytest.raises(PlaceholderError) as raised:
        fill(text, GIVEN, JOB)
    assert str(raised.value).startswith(f"{text}: ") and found in str(raised.value)


# Artifacts.

SCHEMA = pipeline_spec_pb2.ArtifactTypeSchema(
    instance_schema="title: tfx.Examples\ntype: object\nproperties:\n  span:\n    type: integer\n"
    "  split_names:\n    type: string\n"
)


def test_types_are_named_as_tfx_names_them():
    kind = artifact_type(SCHEMA)
    assert (kind.name, dict(kind.properties)) == (
        "Examples", {"span": metadata_store_pb2.INT, "split_names": metadata_store_pb2.STRING}
    )  # fmt: skip
    own = pipeline_spec_pb2.ArtifactTypeSchema(schema_title="ours.Thing")
    assert artifact_type(own).name == "ours.Thing"


def test_numbers_come_back_as_what_they_were():
    sent = pipeline_spec_pb2.RuntimeArtifact(uri="/u")
    content = {"span": 3, "blessed": 1, "ratio": 0.5, "metric_auc": 1.0, "names": ["a"],
               "custom:span": "mine", "current_model_id": "artifact-7"}  # fmt: skip
    sent.metadata.update(content)
    stored = to_stored(sent, artifact_type(SCHEMA))
    assert stored.properties["span"].int_value == 3
    values = stored.custom_properties
    assert (values["blessed"].int_value, values["ratio"].double_value) == (1, 0.5)
    assert values["metric_auc"].WhichOneof("value") == "double_value"
    assert values["span"].string_value == "mine"
    assert values["current_model_id"].int_value == 7
    assert metadata_of(stored) == content
    stored.id = 5
    back = to_runtime(stored, SCHEMA)
    assert (back.name, back.uri, back.type) == ("artifact-5", "/u", SCHEMA)
    assert json_format.MessageToDict(back.metadata) == content


# Resolvers.


def stored(number, **values):
    artifact = metadata_store_pb2.Artifact(id=number, state=metadata_store_pb2.Artifact.LIVE)
    for name, value in values.items():
        artifact.custom_properties[name].int_value = value
    return artifact


def test_filters_pass_what_they_say():
    artifacts = [stored(1, blessed=1), stored(2, blessed=0), stored(3, blessed=1)]
    artifacts[2].state = metadata_store_pb2.Artifact.DELETED

    def ids(query):
        return [a.id for a in select(query, "ModelBlessing", artifacts)]

    blessed = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
    assert ids(blessed) == [1]
    assert ids('schema_title="tfx.Model"') == []
    assert ids('name="artifact-2"') == [2]
    with pytest.raises(QueryError, match="'uri:x' is not known here; expected schema_title, state"):
        ids("state=LIVE AND uri:x")
