"""A part of the graph runs, and the rest is an earlier run's, as TFX records partial runs.

The pipeline is three nodes that wait for one another, and one beside them.
"""

import re
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx import v1 as tfx
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.standard_artifacts import Examples, Schema

from fareline.digests import sha256_of_file
from fareline.errors import SettingsError, UserMistake
from fareline.recorded.run import RunRecord
from lineage.facts.runs import list_runs
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from lineage.text.harmless import plain
from pipeline.components.curated_schema import CuratedSchema
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from pipeline.source.check import check_request
from runners.local.partial_runs import _gone
from runners.local.planning import plan_nodes
from runners.local.run import RunRequest, run_locally
from runners.local.runner import LocalRunner
from runners.part import Part
from runners.progress import NodeState
from runners.provenance import Provenance
from runners.steps.begin import begin_run
from runners.workspace import Workspace
from schema.curated import schema_path

pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")


class WhatIsThere(ResolverStrategy):
    """Finds every artifact; none in a new store."""

    def resolve_artifacts(self, store, input_dict):
        return input_dict


@pytest.fixture
def tiny(tmp_path):
    """Makes the pipeline."""

    def make(fails="", store="metadata.db", cached=False, looks_for=None):
        digest = sha256_of_file(schema_path("taxi", tmp_path))
        nodes = {
            name: CuratedSchema(source="taxi", sha256="0" * 64 if name == fails else digest)
            .with_id(name)
            for name in ("First", "Second", "Third", "Beside")
        }  # fmt: skip
        nodes["Second"].add_upstream_node(nodes["First"])
        nodes["Third"].add_upstream_node(nodes["Second"])
        if looks_for is not None:  # what Second is to be compared with
            found = tfx.dsl.Channel(type=looks_for)
            nodes["Look"] = tfx.dsl.Resolver(WhatIsThere, found=found).with_id("Look")
            nodes["Second"].add_upstream_node(nodes["Look"])
        return tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(tmp_path / "root"),
            components=list(nodes.values()),
            metadata_connection_config=sqlite_connection(tmp_path / store),
            enable_cache=cached,
        )

    return make


@pytest.fixture
def run(tiny):
    """Runs the pipeline, or a part of it; returns the states of its nodes."""

    def run(run_id, part=None, fails="", looks_for=None, **properties):
        provenance = Provenance({"runner": "local", **properties}, "a" * 40)
        pipeline = tiny(fails, looks_for=looks_for)
        runner = LocalRunner(pipeline, run_id, provenance=provenance, part=part)
        return {result.name: result.state.value for result in runner.run()}

    return run


@pytest.fixture
def planned(tiny, tmp_path):
    """Plans on a copy of the store; returns plan and reason of each node."""

    def planned(part=None, fails="", cached=True):
        request = SimpleNamespace(
            part=part, push_destination=str(tmp_path / "serving"),
            settings=SimpleNamespace(
                drift=SimpleNamespace(serving_sample=None), data=SimpleNamespace(sample=None)
            ),
        )  # fmt: skip
        if (tmp_path / "metadata.db").exists():
            shutil.copy(tmp_path / "metadata.db", tmp_path / "copy.db")
        found = plan_nodes(tiny(fails, "copy.db", cached), request, tmp_path / "scratch")
        return {each.name: (each.plan, each.why) for each in found}

    return planned


@pytest.fixture
def graph(tmp_path):
    return lambda: Graph(open_store(tmp_path / "metadata.db"))


STEPS = {"run_id": "nightly-1", "runner": "steps"}
WHOLE = dict.fromkeys(("First", "Beside", "Second", "Third"), "executed")


@pytest.mark.parametrize(
    ("part", "states"),
    [
        (Part(["Second"]), {"First": "cached", "Second": "executed", "Third": "executed"}),
        (Part(["Second"], ["Second"]), {"First": "cached", "Second": "executed"}),
        (Part(["Third"]), {"First": "cached", "Second": "cached", "Third": "executed"}),
        (Part([], ["Second"]), {"First": "executed", "Second": "executed"}),
        (Part(["Beside"]), {"Beside": "executed"}),
        (Part(["Second", "Beside"]), {**WHOLE, "First": "cached"}),
    ],
)
def test_what_runs_and_what_is_reused(run, graph, part, states):
    assert run("run-1") == WHOLE
    assert run("run-2", part) == states
    found = graph()
    [record] = [c for c in found.store.get_contexts_by_type("pipeline_run") if c.name == "run-2"]
    properties = {n: v.string_value for n, v in record.custom_properties.items()}
    assert sorted(RunRecord(properties).nodes) == sorted(states)
    assert properties["runner"] == "local"
    reused = [name for name, state in states.items() if state == "cached"]
    assert properties["reused_run"] == ("run-1" if reused else "")
    parents = [c.name for c in found.store.get_parent_contexts_by_context(record.id)]
    assert ("run-1" in parents) == bool(reused)
    executions = {e.place.node: e for e in found.executions_of_run("run-2")}
    assert {name: e.state for name, e in executions.items()} == states
    first = {e.place.node: e for e in found.executions_of_run("run-1")}
    for name in reused:  # the artifacts themselves, not copies
        assert found.outputs(executions[name]) == found.outputs(first[name])
    [latest] = [r for r in list_runs(found) if r.run_id == "run-2"]
    assert (latest.status, latest.missing) == ("complete", ())


@pytest.mark.parametrize(
    ("looks_for", "part", "state"),
    [
        (Schema, Part(["Second"]), "executed"),
        (Schema, Part(["Second"], ["Second"]), "executed"),
        (Schema, Part(["Third"]), "cached"),  # Second, which takes it, is reused
        (Schema, Part(["Beside"]), None),
        (Examples, Part(["Second"]), "cached"),
    ],
)
def test_the_model_to_compare_with_is_looked_for_again(run, looks_for, part, state):
    run("run-1", looks_for=looks_for)
    assert run("run-2", part, looks_for=looks_for).get("Look") == state


def test_the_last_good_run_with_the_nodes_is_reused(run, graph):
    run("run-1")
    run("run-2", Part([], ["First"]))  # has no Second
    run("run-3", fails="Second")
    assert run("run-4", Part(["Third"]))["Third"] == "executed"
    assert run("run-5", Part(["Second"], [], "run-3"))["First"] == "cached"
    contexts = {c.name: c for c in graph().store.get_contexts_by_type("pipeline_run")}
    reused = {n: c.custom_properties["reused_run"].string_value for n, c in contexts.items()}
    assert (reused["run-4"], reused["run-5"]) == ("run-1", "run-3")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part(["Thrid"]), "Thrid: the pipeline has no such node; expected one of Beside, First, "
            "Second, Third. Hint: did you mean Third."),
        (Part(["Third"], ["First"]), "--from: there is no path from Third to First; expected nodes "
         "that depend on each other. Hint: `fareline step graph` shows what depends on what."),
        (Part(["Second"], [], "run-0"), "run-0: tiny has no such run; expected one whose artifacts "
         "can be used. Hint: did you mean run-1."),
        (Part(["Third"], [], "run-1"), "run-1: Second did not end well in it; expected a run with "
         "all nodes that are not to run now. Hint: name another run, or begin further up."),
        (Part(["Third"]), "tiny: no run of it has ended well that could be reused; expected one "
         "with First, Second, and their files. Hint: run the whole pipeline first, or begin "
         "further up."),
    ],
)  # fmt: skip
def test_a_part_that_cannot_run_is_one_line(run, part, said):
    assert run("run-1", fails="Second")["Second"] == NodeState.FAILED.value
    with pytest.raises(UserMistake) as mistake:
        run("run-2", part)
    assert str(mistake.value) == said


def test_a_run_whose_files_are_gone_is_not_reused(run, graph, tmp_path):
    run("run-1")
    [found] = list_runs(graph())
    taken = {("Second", "schema"), ("Third", "nothing")}
    assert _gone(graph(), found, taken) == ""
    shutil.rmtree(tmp_path / "root" / "Second")
    assert _gone(graph(), found, taken).startswith("Schema:")
    assert _gone(graph(), found, {("First", "schema")}) == ""


@pytest.mark.parametrize(
    ("part", "overrides", "said"),
    [
        (Part(["Thrid"]), [], "Thrid: the pipeline has no such node; expected one of "),
        (Part(["Pusher"], ["Trainer"]), [], "--from: there is no path from Pusher to Trainer; "),
        (Part(["Trainer"]), [], "chicago-taxi: no run of it has ended well that could be reused; "),
        (None, ["code.components=own.graph.add"], "code.components: "),
    ],
)
def test_nothing_is_written_for_a_mistake_in_the_graph(tmp_path, capfd, part, overrides, said):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").touch()
    (tmp_path / "own" / "graph.py").write_text("def add(nodes, fingerprint):\n    1 / 0\n")
    settings = load_settings(DEFAULT_PATH, [f"code.folder={tmp_path}", *overrides])
    request = RunRequest(settings, Workspace(tmp_path / "workspace"), part=part)
    source = check_request(settings, lambda: b"")
    starts = [run_locally] if part is not None else [run_locally, partial(begin_run, **STEPS)]
    for start in starts:
        with pytest.raises((UserMistake, SettingsError), match=re.escape(said)):
            start(request, source)
    assert not request.workspace.root.exists()
    assert capfd.readouterr() == ("", "")


def test_a_plan_says_what_is_executed_and_why(run, planned):
    never = ("execute", "no earlier execution of this node in the pipeline")
    assert planned() == dict.fromkeys(WHOLE, never)
    run("run-1")
    cached = dict.fromkeys(WHOLE, ("cached", ""))
    assert planned() == cached
    digest = sha256_of_file(schema_path("taxi", Path()))
    changed = ("execute", f"sha256 is {plain('0' * 64, 60)}, was {plain(digest, 60)}")
    # Third only waits for Second: it takes nothing of it.
    assert planned(fails="Second") == {**cached, "Second": changed}
    assert planned(cached=False) == dict.fromkeys(WHOLE, ("execute", "the cache is off"))
    assert planned(Part(["Second"], ["Second"])) == {
        "First": ("reused", "before the part that runs: outputs of run-1"),
        "Second": ("cached", ""),
    }


def test_a_run_of_all_rows_reuses_none_of_a_sample_nor_the_reverse(run, graph):
    run("run-1")
    run("run-2", sample="500")
    run("run-3", Part(["Third"]))
    run("run-4", Part(["Third"]), sample="500")
    reused = {each: graph().places.record(each).text("reused_run") for each in ("run-3", "run-4")}
    assert reused == {"run-3": "run-1", "run-4": "run-2"}
    for named, own, said in (
        ("run-2", {}, "run-2: it read a sample of 500 rows; expected a run that read all rows"),
        ("run-1", {"sample": "500"}, "run-1: it read all rows; expected a run that read a sample"),
        ("run-2", {"sample": "5"}, "run-2: it read a sample of 500 rows; expected a run that read"),
    ):
        with pytest.raises(UserMistake) as mistake:
            run("run-5", Part(["Third"], [], named), **own)
        assert str(mistake.value).startswith(said)
