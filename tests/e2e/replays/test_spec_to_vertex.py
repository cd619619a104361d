"""A compiled Vertex spec with both destinations, executed here against a Vertex AI on loopback."""

import shutil

import pytest

from fareline.recorded.vertex import on_vertex
from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.e2e.conftest import fareline_command, run_fareline, run_process
from tests.forked import run_forked
from tests.unit.runners.platforms.vertex_place import vertex_place

pytestmark = [pytest.mark.replay, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        yield running


def test_the_spec_pushes_into_the_folder_and_to_vertex(place, small_csv, small_settings):
    folder = place.root
    target = ", ".join(f"{name}: {value!r}" for name, value in place.target.items())
    settings = (
        *small_settings,
        "push.destinations=[folder, vertex]",
        f"push.vertex={{{target}}}",
    )
    data = folder / "bucket" / "chicago-taxi" / "data"
    data.mkdir(parents=True)
    shutil.copy(small_csv, data)
    spec = folder / "vertex.json"
    overrides = [part for setting in settings for part in ("--set", setting)]
    compiled = run_forked(**fareline_command("compile", "vertex", "-o", spec, *overrides))
    assert compiled.returncode == 0, compiled.stderr
    arguments = ("--spec", spec, f"--map=gs://example-bucket={folder / 'bucket'}")
    ran = run_fareline(folder / "workspace", *settings, arguments=arguments, run=run_process)
    assert ran.exit_code == 0, ran.stderr
    assert ran.states()["VertexPusher"] == "executed"

    graph = Graph(open_store(folder / "workspace" / "metadata.db"))
    made = outputs_of_run(graph, ran.answer["run_id"])
    [there], [here] = made["VertexPusher"]["pushed_model"], made["Pusher"]["pushed_model"]
    assert on_vertex(there).traffic == {"1": 100} and place.states() == {1: "done"}
    assert there.properties["sha256"] == here.properties["sha256"]
    assert "not_shown_because" not in there.properties
    [evaluations] = place.shown.evaluations.values()
    [evaluation] = made["Evaluator"]["evaluation"]
    auc = evaluations[0]["metadata"]["metrics"]["auc"]
    assert auc == pytest.approx(evaluation.properties["metric_auc"], abs=1e-6)  # of six decimals
    files = place.vertex.api.local(on_vertex(there).artifact_uri)
    assert (files / "saved_model.pb").is_file()
