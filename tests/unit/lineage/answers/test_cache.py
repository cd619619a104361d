"""Why a node executed: the reason, its words, and the root cause before its consequences."""

import inspect
import json
import re
import sqlite3
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.answers.cache import explain as caching
from lineage.answers.cache.differences import flatten
from lineage.answers.cache.explain import explain_cache
from lineage.answers.cache.view import explanations_as_json
from lineage.graph.graph import Graph
from lineage.ids import find_execution
from lineage.store.open import open_store
from runners.local.publication import must_execute
from tests.stores.writer import CACHED, FAILED, StoreWriter, artifact

FINGERPRINT = "split:all,num_files:{},total_bytes:{},xor_checksum:{},sum_checksum:{}"


class Nodes:
    """Gen and Trainer of a pipeline, with payloads that are there."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "metadata.db"
        self.writer = StoreWriter(self.path)

    def add(self, run, node, key=None, outputs=None, **rest):
        """Executes a node, or takes it from the cache; returns the ids of its artifacts."""
        made = {}
        for name, properties in (outputs or {}).items():
            uri = self.folder / node / name / run
            uri.mkdir(parents=True)
            made[name] = [artifact(uri, **properties)]
        execution = self.writer.add_execution("taxi", run, node, outputs=made, **rest)
        if key:
            self.writer.add_cache_key(execution, key)
        return self.writer.artifact_ids

    def explain(self, id_):
        graph = Graph(open_store(self.path))
        return explain_cache(graph, find_execution(graph, id_))


@pytest.fixture
def nodes(tmp_path):
    return Nodes(tmp_path)


def said(chain):
    return [(e.execution.key, e.reason, e.text) for e in chain]


def test_a_cached_node_names_the_execution_that_made_its_outputs(nodes):
    [examples] = nodes.add("run-1", "Gen", "k", {"examples": {}})
    nodes.add("run-2", "Gen", "k", state=CACHED, reused=[("examples", examples)])
    nodes.add("run-3", "Gen", "k", state=CACHED, reused=[("examples", examples)])

    words = "its outputs are those of Gen@run-1"
    assert said(nodes.explain("Gen@run-3")) == [("Gen@run-3", "cached", words)]


def test_a_cached_node_without_outputs_is_found_by_its_key(nodes):
    nodes.add("run-1", "Gate", "k")
    nodes.add("run-2", "Gate", "k", state=CACHED)

    [explanation] = nodes.explain("Gate@run-2")
    assert explanation.compared_with.key == "Gate@run-1"


def test_the_first_execution_of_a_node(nodes):
    nodes.add("run-1", "Gen", "k", {"examples": {}})

    words = "no earlier execution of this node in the pipeline"
    assert said(nodes.explain("Gen@run-1")) == [("Gen@run-1", "first", words)]


def test_the_root_cause_comes_before_its_consequences(nodes):
    was, now = FINGERPRINT.format(1, 10, 5, 5), FINGERPRINT.format(2, 30, 5, 5)
    [first] = nodes.add("run-1", "Gen", "a", {"examples": {}}, input_fingerprint=was)
    nodes.add("run-1", "Trainer", "b", {"model": {}}, inputs=[("examples", first)])
    [second] = nodes.add("run-2", "Gen", "c", {"examples": {}}, input_fingerprint=now)
    nodes.add("run-2", "Trainer", "d", {"model": {}}, inputs=[("examples", second)])

    chain = nodes.explain("Trainer@run-2")

    assert said(chain) == [
        (
            "Gen@run-2",
            "differs",
            "the files that it reads changed: 2 files, were 1, 30 bytes, were 10",
        ),
        ("Trainer@run-2", "differs", "examples is Examples:3, was Examples:1, since Gen executed"),
    ]
    content = explanations_as_json(chain)
    assert content["root_causes"] == ["Gen@run-2"]
    assert content["chain"][1]["differences"] == [
        {
            "kind": "input",
            "name": "examples",
            "was": ["Examples:1"],
            "now": ["Examples:3"],
            "text": "examples is Examples:3, was Examples:1, since Gen executed",
            "upstream": "Gen@run-2",
        }
    ]


def test_files_that_were_only_touched(nodes):
    nodes.add("run-1", "Gen", "a", input_fingerprint=FINGERPRINT.format(1, 10, 5, 5))
    nodes.add("run-2", "Gen", "b", input_fingerprint=FINGERPRINT.format(1, 10, 6, 6))

    [explanation] = nodes.explain("Gen@run-2")
    assert explanation.text == (
        "the files that it reads changed: same number and bytes, other times of change"
    )


def test_parameters_are_compared_by_dotted_path_and_code_by_its_fingerprint(nodes):
    before = {"training": {"steps": 640, "seed": 1}, "source_fingerprint": "aa"}
    after = {"training": {"steps": 300, "seed": 1}, "source_fingerprint": "bb"}
    nodes.add("run-1", "Trainer", "a", custom_config=json.dumps(before), run_fn="x")
    nodes.add("run-2", "Trainer", "b", custom_config=json.dumps(after), run_fn="x")

    [explanation] = nodes.explain("Trainer@run-2")

    assert [(d.kind, d.name, d.was, d.now) for d in explanation.differences] == [
        ("code", "custom_config.source_fingerprint", "aa", "bb"),
        ("parameter", "custom_config.training.steps", 640, 300),
    ]
    assert explanation.text == (
        "code of models/ or preprocessing/features.py changed; "
        "custom_config.training.steps is 300, was 640"
    )


def test_the_code_of_transform_is_that_of_preprocessing(nodes):
    for run, fingerprint in (("run-1", "aa"), ("run-2", "bb")):
        config = json.dumps({"source_fingerprint": fingerprint})
        nodes.add(run, "Transform", run, custom_config=config)

    [explanation] = nodes.explain("Transform@run-2")
    assert explanation.text == "code of preprocessing/ changed"


def test_code_that_was_not_recorded_then(nodes):
    nodes.add("run-1", "Evaluator", "a")
    nodes.add("run-2", "Evaluator", "b", source_fingerprint="2" * 64)

    [explanation] = nodes.explain("Evaluator@run-2")
    assert explanation.text == (
        "code of evaluation (pipeline/) may have changed: it was not recorded then"
    )


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ("Evaluator", "code of evaluation (pipeline/) changed"),
        ("InfraValidator", "code of serving/ changed"),
    ],
)
def test_other_code_of_a_judge(nodes, node, text):
    for number, digest in ((1, "1" * 64), (2, "2" * 64)):
        nodes.add(f"run-{number}", node, str(number), source_fingerprint=digest)

    [explanation] = nodes.explain(f"{node}@run-2")
    assert explanation.text == text


def test_a_parameter_full_of_markup_is_text(nodes):
    nodes.add("run-1", "Trainer", "a", note="[red]a\x1b[31m")
    nodes.add("run-2", "Trainer", "b", note="[bold]" + "b" * 200)

    [explanation] = nodes.explain("Trainer@run-2")
    assert explanation.text == (f"note is [bold]{'b' * 54}… (206 characters), was [red]a\\x1b[31m")


def test_it_is_compared_with_what_the_last_cached_execution_took_over(nodes):
    [examples] = nodes.add("run-1", "Gen", "a", {"examples": {}}, steps=1)
    nodes.add("run-2", "Gen", "b", {"examples": {}}, steps=2)
    nodes.add("run-3", "Gen", "a", state=CACHED, reused=[("examples", examples)], steps=1)
    nodes.add("run-4", "Gen", "c", {"examples": {}}, steps=3)

    [explanation] = nodes.explain("Gen@run-4")
    assert explanation.compared_with.key == "Gen@run-1"
    assert explanation.text == "steps is 3, was 1"


def test_another_tfx(nodes):
    nodes.add("run-1", "Gen", "a", {"examples": {"tfx_version": "1.16.0"}})
    nodes.add("run-2", "Gen", "b", {"examples": {"tfx_version": "1.21.0"}})

    [explanation] = nodes.explain("Gen@run-2")
    assert explanation.text == "TFX is 1.21.0, was 1.16.0"


def test_the_same_key_and_pruned_outputs(nodes):
    [examples] = nodes.add("run-1", "Gen", "k", {"examples": {}})
    nodes.writer.set_state(examples, mlmd.Artifact.DELETED)
    nodes.add("run-2", "Gen", "k", {"examples": {}})

    [explanation] = nodes.explain("Gen@run-2")
    assert explanation.reason == "outputs_gone"
    assert explanation.text == (
        "the cache key is that of Gen@run-1, but of its outputs Examples:1 was pruned"
    )


def test_the_same_key_and_a_missing_payload(nodes):
    nodes.add("run-1", "Gen", "k", {"examples": {}})
    (nodes.folder / "Gen/examples/run-1").rmdir()
    nodes.add("run-2", "Gen", "k", {"examples": {}})

    [explanation] = nodes.explain("Gen@run-2")
    assert (explanation.reason, explanation.text) == (
        "outputs_gone",
        "the cache key is that of Gen@run-1, but of its outputs the payload of Examples:1 is "
        "missing",
    )


def test_caching_that_was_off_is_said_where_it_is_recorded(nodes):
    nodes.add("run-1", "Gen", "k", {"examples": {}})
    nodes.add("run-2", "Gen", "k", {"examples": {}})

    [explanation] = nodes.explain("Gen@run-2")
    assert (explanation.reason, explanation.text) == (
        "caching_off",
        "the cache key is that of Gen@run-1, but caching was off, for the run or for the node; "
        "the store does not say which",
    )

    nodes.writer.record_run("run-2", use_cache=0)
    [explanation] = nodes.explain("Gen@run-2")
    assert explanation.text == (
        "the cache key is that of Gen@run-1, but caching was off for the run (--no-cache)"
    )


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("Pusher", "another model was found as the newest version at the destination"),
        (
            "InfraValidator",
            "the machine ended the last infra validation, which therefore says nothing about the "
            "model",
        ),
        (
            "DriftMonitor",
            "the requests that it compares with are not on this machine, so a change of them "
            "cannot be seen",
        ),
    ],
)
def test_a_node_that_had_to_execute(nodes, node, why):
    nodes.add("run-1", node, "k", {"output": {}})
    nodes.add("run-2", node, "k", {"output": {}})
    nodes.writer.record_run("run-2", use_cache=1)

    [explanation] = nodes.explain(f"{node}@run-2")
    said = f"the cache key is that of {node}@run-1, but {why}"
    assert (explanation.reason, explanation.text) == ("forced", said)


def test_every_node_that_is_told_to_execute_can_be_explained():
    asked = re.findall(r'node == "(\w+)"', inspect.getsource(must_execute))
    assert sorted(asked) == sorted(caching.FORCED)


def test_an_earlier_execution_that_failed(nodes):
    nodes.add("run-1", "Gen", "k", state=FAILED)
    nodes.add("run-2", "Gen", "k", {"examples": {}})

    [explanation] = nodes.explain("Gen@run-2")
    assert (explanation.reason, explanation.text) == (
        "earlier_failed",
        "this node was begun once before and never completed; Gen@run-1 failed",
    )


def test_a_failure_of_the_same_key_after_a_success_of_another(nodes):
    nodes.add("run-1", "Gen", "a", {"examples": {}})
    nodes.add("run-2", "Gen", "b", state=FAILED)
    nodes.add("run-3", "Gen", "b", {"examples": {}})

    [explanation] = nodes.explain("Gen@run-3")
    assert explanation.text == "Gen@run-2 had the same cache key and failed"


def test_another_baseline(nodes):
    [old, new] = [nodes.add(f"run-{i}", "Trainer", outputs={"model": {}})[0] for i in (1, 2)]
    nodes.add("run-3", "Evaluator", "a", inputs=[("baseline_model", old)])
    nodes.add("run-4", "Evaluator", "b", inputs=[("baseline_model", new)])

    [explanation] = nodes.explain("Evaluator@run-4")
    assert explanation.text == (
        "baseline_model is Model:2, was Model:1: another model is the baseline"
    )


def test_the_first_baseline(nodes):
    [model] = nodes.add("run-1", "Trainer", outputs={"model": {}})
    nodes.add("run-1", "Evaluator", "a", inputs=[("model", model)])
    nodes.add("run-2", "Evaluator", "b", inputs=[("model+baseline_model", model)])

    [explanation] = nodes.explain("Evaluator@run-2")
    assert explanation.text == (
        "baseline_model is Model:1, was nothing: now a model is the baseline"
    )


def test_resolvers_are_never_cached(nodes):
    nodes.add("run-1", "Resolver")
    nodes.add("run-2", "Resolver")
    name = "tfx.dsl.components.common.resolver.Resolver"
    with sqlite3.connect(nodes.path) as connection:
        connection.execute("UPDATE Type SET name = ? WHERE name = 'Resolver'", (name,))
    connection.close()

    [explanation] = nodes.explain("Resolver@run-2")
    assert (explanation.reason, explanation.text) == (
        "never_cached",
        "a resolver looks into the store anew in every run",
    )


def test_an_input_whose_record_changed(nodes):
    [examples] = nodes.add("run-1", "Gen", "g", {"examples": {}})
    nodes.add("run-1", "Trainer", "a", {"model": {}}, inputs=[("examples", examples)])
    time.sleep(0.005)  # the store counts milliseconds
    nodes.writer.set_state(examples, mlmd.Artifact.MARKED_FOR_DELETION)
    nodes.add("run-2", "Trainer", "b", {"model": {}}, inputs=[("examples", examples)])

    [explanation] = nodes.explain("Trainer@run-2")
    assert explanation.text == "examples: the record of Examples:1 changed in the store meanwhile"


def test_what_the_store_does_not_hold(nodes):
    nodes.add("run-1", "Trainer", "a", {"model": {}}, module_file="/code/trainer.py")
    nodes.add("run-2", "Trainer", "b", {"model": {}}, module_file="/code/trainer.py")

    [explanation] = nodes.explain("Trainer@run-2")
    assert (explanation.reason, explanation.text) == (
        "unknown",
        "its cache key is not that of Trainer@run-1, and nothing that the store holds differs; "
        "the key holds the content of /code/trainer.py too",
    )


def test_nested_parameters_are_flat():
    nested = {"a": '{"b": {"c": [1, 2]}, "d": "{not json"}', "e": "{}", "f": 1.5}
    assert flatten(nested) == {"a.b.c": [1, 2], "a.d": "{not json", "e": {}, "f": 1.5}
