"""OpenLineage events: what they say of a store, and that they are as OpenLineage's classes have it.

No package ships OpenLineage's JSON Schema. The classes of openlineage-python are generated from it,
so `check` reads every event back with them: no key that a class lacks, none missing that it
requires, every value of the declared type, and its own validators (dates, UUIDs). What they do not
hold are the schema's formats of URIs, which are looked at by themselves.
"""

import inspect
import json
import types
import typing
from enum import Enum
from urllib.parse import urlsplit

import attr
import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.naming import dataset as naming

from lineage.exports.datasets import dataset_name
from lineage.exports.openlineage import to_openlineage
from lineage.exports.scope import around, whole_store
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.of_exports import HOSTILE, hostile, two_runs

BASE = facet_v2.BaseFacet


def facet_classes():
    """Every facet class of openlineage-python by the end of its schema's address."""
    modules = [m for _, m in inspect.getmembers(facet_v2, inspect.ismodule)]
    classes = [c for m in modules for _, c in inspect.getmembers(m, inspect.isclass)]
    return {c._get_schema(): c for c in classes if issubclass(c, BASE)}


FACETS = facet_classes()


def check(value, kind, where=""):
    """Asserts that a value from JSON is what an attrs class, or a type, of OpenLineage allows."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        [kind] = [a for a in arguments if a is not type(None)]
        check(value, kind, where)
    elif origin is list:
        assert isinstance(value, list), where
        for index, part in enumerate(value):
            check(part, arguments[0], f"{where}[{index}]")
    elif origin is dict:
        assert isinstance(value, dict), where
        for name, part in value.items():
            check(part, arguments[1], f"{where}.{name}")
    elif inspect.isclass(kind) and issubclass(kind, Enum):
        assert value in [member.value for member in kind], where
    elif attr.has(kind):
        if issubclass(kind, BASE):  # which facet it is, it says itself
            assert value["_schemaURL"] in FACETS, where
            assert issubclass(FACETS[value["_schemaURL"]], kind), where
            kind = FACETS[value["_schemaURL"]]
        check_object(value, kind, where)
    else:
        assert kind in (str, int, float, bool), f"{where}: {kind}"
        assert type(value) is kind, f"{where}: {value!r}"


def check_object(value, kind, where):
    assert isinstance(value, dict), where
    fields = {field.name: field for field in attr.fields(attr.resolve_types(kind, *spaces(kind)))}
    assert set(value) <= set(fields), f"{where}: {set(value) - set(fields)}"
    required = {n for n, f in fields.items() if f.default is attr.NOTHING}
    assert required <= set(value), f"{where}: {required - set(value)}"
    for name, part in value.items():
        check(part, fields[name].type, f"{where}.{name}")
        if fields[name].validator:
            fields[name].validator(kind.__new__(kind), fields[name], part)


def spaces(kind):
    """Where the names in the annotations of a class and its bases are defined."""
    modules = [inspect.getmodule(c) for c in reversed(kind.__mro__) if c is not object]
    return ({name: v for m in modules for name, v in vars(m).items()},)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return Graph(open_store(two_runs(tmp_path_factory.mktemp("ol") / "metadata.db")))


@pytest.fixture(scope="module")
def events(graph):
    return [json.loads(line) for line in to_openlineage(whole_store(graph)).splitlines()]


def of_node(events, run, node):
    """The events of one execution; runs are told apart by their parents."""
    parents = list(dict.fromkeys(e["run"]["facets"]["parent"]["run"]["runId"] for e in events))
    return [
        e
        for e in events
        if e["job"]["name"] == f"taxi.{node}"
        and e["run"]["facets"]["parent"]["run"]["runId"] == parents[run - 1]
    ]


def named(datasets):
    return [(d["namespace"], d["name"]) for d in datasets]


def test_every_event_is_as_the_generated_classes_have_it(events):
    for number, event in enumerate(events):
        check(event, event_v2.RunEvent, f"event {number}")
        assert event["schemaURL"].endswith("OpenLineage.json#/$defs/RunEvent")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.update(colour="red"), "colour"),
        (lambda e: e["job"].pop("namespace"), "namespace"),
        (lambda e: e["run"].update(runId="12"), "badly formed"),
        (lambda e: e.update(eventTime="yesterday"), "yest"),
        (lambda e: e["inputs"][0]["facets"]["version"].update(datasetVersion=3), "3"),
        (lambda e: e["run"]["facets"]["tags"].update(_schemaURL="https://x"), "tags"),
    ],
)
def test_the_check_finds_what_is_wrong(events, change, said):
    event = json.loads(json.dumps(of_node(events, 1, "Trainer")[0]))
    change(event)
    with pytest.raises((AssertionError, ValueError), match=said):
        check(event, event_v2.RunEvent)


def test_addresses_are_uris(events):
    for event in events:
        datasets = [*event["inputs"], *event["outputs"]]
        uris = [d["facets"]["dataSource"]["uri"] for d in datasets]
        for uri in [event["producer"], event["schemaURL"], *uris]:
            assert urlsplit(uri).scheme
            assert uri.isascii() and not set(uri) & set(' <>"\\^`{|}')


def test_each_execution_starts_and_ends_once(events):
    states = {}
    for event in events:
        states.setdefault((event["run"]["runId"], event["job"]["name"]), []).append(
            event["eventType"]
        )
    assert sorted((job, said) for (_, job), said in states.items()) == [
        ("taxi.Evaluator", ["START", "COMPLETE"]),
        ("taxi.Evaluator", ["START", "FAIL"]),
        ("taxi.ExampleGen", ["START", "COMPLETE"]),
        ("taxi.ExampleGen", ["START", "COMPLETE"]),
        ("taxi.Pusher", ["START"]),
        ("taxi.Trainer", ["START", "COMPLETE"]),
        ("taxi.Trainer", ["START", "COMPLETE"]),
    ]
    assert [e["eventTime"] for e in events] == sorted(e["eventTime"] for e in events)


def test_datasets_go_from_the_source_to_the_model(events):
    generated = of_node(events, 1, "ExampleGen")[-1]
    assert named(generated["inputs"]) == [("file", "/data/taxi")]
    assert named(generated["outputs"]) == [("file", "/data/examples/1")]
    trained = of_node(events, 1, "Trainer")[-1]
    assert named(trained["inputs"]) == named(generated["outputs"])
    assert named(trained["outputs"]) == [("gs://bucket", "model/2")]
    [examples], [model] = trained["inputs"], trained["outputs"]
    assert examples["facets"]["version"]["datasetVersion"] == "d" * 64
    assert model["facets"]["version"]["datasetVersion"] == "Model:2"
    assert model["facets"]["datasetType"]["datasetType"] == "MODEL"
    assert model["facets"]["dataSource"]["uri"] == "gs://bucket/model/2"
    assert trained["run"]["facets"]["processing_engine"]["version"] == "1.16.0"


def test_what_failed_says_why_and_of_which_commit_it_was(events):
    failed = of_node(events, 2, "Evaluator")[-1]
    assert failed["run"]["facets"]["errorMessage"]["message"] == "it broke"
    assert failed["job"]["facets"]["sourceCodeLocation"]["version"] == "c" * 40
    # The one artifact for which TFX may write one event with two keys is here two artifacts.
    assert named(failed["inputs"]) == [
        ("file", "/data/examples/1"),
        ("gs://bucket", "model/2"),
        ("gs://bucket", "model/5"),
    ]
    assert "sourceCodeLocation" not in of_node(events, 1, "Evaluator")[-1]["job"]["facets"]


def test_a_cached_execution_says_so_and_read_no_source(events):
    [_, cached] = of_node(events, 2, "ExampleGen")
    assert cached["run"]["facets"]["tags"]["tags"] == [
        {"key": "state", "source": "MLMD", "value": "cached"}
    ]
    assert cached["inputs"] == []
    assert named(cached["outputs"]) == [("file", "/data/examples/1")]


def test_ids_are_the_same_in_every_export_of_whatever_scope(graph, events):
    whole = {e["run"]["runId"] for e in events}
    part = {json.loads(line)["run"]["runId"] for line in to_openlineage(around(graph)).splitlines()}
    assert part < whole
    assert len(whole) == 7


def test_hostile_names_make_valid_events(tmp_path):
    text = to_openlineage(whole_store(Graph(open_store(hostile(tmp_path / "metadata.db")))))
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        check(event, event_v2.RunEvent)
    test_addresses_are_uris(events)
    assert {e["job"]["name"] for e in events} == {f"pipe.line.{name}" for name in HOSTILE}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/data/taxi", naming.LocalFileSystem("/data/taxi")),
        ("file:///data/taxi", naming.LocalFileSystem("/data/taxi")),
        ("gs://bucket/some/key", naming.GCS("bucket", "some/key")),
        ("s3://bucket/some/key", naming.S3("bucket", "some/key")),
        ("hdfs://node:8020/some/key", naming.HDFS("node", "8020", "/some/key")),
    ],
)
def test_datasets_are_named_as_openlineage_names_them(uri, expected):
    assert dataset_name(uri) == (expected.get_namespace(), expected.get_name())
