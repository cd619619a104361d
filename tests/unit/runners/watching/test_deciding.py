"""runners.watching.deciding: the policy decides, and what it decided is recorded."""

import json
from types import SimpleNamespace

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from cli.monitor import _is_news
from fareline.digests import sha256_of_file
from lineage.graph.graph import Graph
from lineage.store.open import sqlite_connection
from monitoring.live.decision import AGE, RETRAIN, Cause, Decision
from monitoring.live.series import HOUR_MS
from pipeline.settings.load import load_settings
from runners.watching.deciding import causes_of_age, decide_now, record
from runners.workspace import Workspace
from tests.stores.writer import StoreWriter

NOW = 1_796_000_000_000


def settings_with(**policy):
    return load_settings(None, [f"monitoring.policy={json.dumps(policy)}"])


@pytest.fixture
def workspace(tmp_path):
    StoreWriter(tmp_path / "metadata.db").add_execution(
        "chicago-taxi", "run-1", "Pusher", outputs={"pushed_model": [mlmd.Artifact()]}
    )
    return Workspace(tmp_path)


def graph_of(workspace):
    return Graph(metadata_store.MetadataStore(sqlite_connection(workspace.metadata_path)))


def live_model(workspace, made_ms=NOW):
    [pushed] = graph_of(workspace).artifacts_of_type("PushedModel")
    recorded = SimpleNamespace(artifact=pushed)
    return SimpleNamespace(made_ms=made_ms, version=SimpleNamespace(recorded=recorded))


def test_a_decision_is_recorded_from_the_model_to_its_evidence_and_starts_the_cooldown(workspace):
    settings = settings_with(performance="retrain", cooldown_hours=2)
    causes = [Cause("performance", "AUC: 0.956 -> 0.588")]
    decision = decide_now(causes, settings, graph_of(workspace), NOW)
    assert decision == Decision(RETRAIN, tuple(causes))
    report = workspace.root / "report.json"
    report.write_text("{}")
    told = record(workspace, settings, decision, live_model(workspace), {"report": report}, NOW)
    graph = graph_of(workspace)
    [pushed] = graph.artifacts_of_type("PushedModel")
    [execution] = graph.consumers(pushed)
    [evidence] = graph.outputs(execution)["report"]
    assert told == f"monitor#{execution.id}"
    assert execution.properties["action"] == "retrain"
    assert execution.properties["reason"] == "performance: AUC: 0.956 -> 0.588"
    assert (evidence.uri, evidence.properties["sha256"]) == (str(report), sha256_of_file(report))
    for later, action in ((0, "warn"), (2 * HOUR_MS - 1, "warn"), (2 * HOUR_MS, "retrain")):
        assert decide_now(causes, settings, graph, NOW + later).action == action


def test_a_warning_starts_no_cooldown_and_needs_no_model(workspace):
    settings = settings_with(performance="retrain", integrity="warn")
    warned = Decision("warn", (Cause("integrity", "rows: none"),))
    assert record(workspace, settings, warned, None, {}, NOW).startswith("monitor#")
    causes = [Cause("performance", "AUC: lower")]
    assert decide_now(causes, settings, graph_of(workspace), NOW + 1).action == "retrain"


@pytest.mark.parametrize(("hours", "old"), [(None, False), (24, False), (23.9, True)])
def test_a_model_is_too_old_once_it_is_older_than_promised(workspace, hours, old):
    live = live_model(workspace, made_ms=NOW - 24 * HOUR_MS)
    found = causes_of_age(live.made_ms, settings_with(freshness_hours=hours), NOW)
    assert [cause.kind for cause in found] == ([AGE] if old else [])


@pytest.mark.parametrize(
    ("state", "action", "news"),
    [
        ("quiet", "nothing", False),
        ("alarm", "record", False),
        ("alarm", "warn", True),
        ("alarm", "retrain", True),
        ("quiet", "warn", True),  # of the age
        ("too small", "nothing", True),
        ("too small", "record", True),
    ],
)
def test_exit_code_3_is_for_what_somebody_is_to_look_at(state, action, news):
    watched, decision = SimpleNamespace(state=state), SimpleNamespace(action=action)
    assert _is_news(SimpleNamespace(watched=watched, decision=decision)) is news


@pytest.mark.parametrize("kind", ["estimate", "distribution"])
@pytest.mark.parametrize("action", ["retrain", "roll_back"])
def test_what_may_differ_while_the_model_is_as_good_as_ever_does_not_retrain(kind, action):
    with pytest.raises(ValueError, match="expected 'record' or 'warn'"):
        settings_with(**{kind: action})
