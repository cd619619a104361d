"""Two whole local runs push to the folder and to a Vertex AI on loopback, and the way back."""

import json

import numpy as np
import pytest
import tensorflow as tf

from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from serving.model.batch import BatchPredictor
from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked
from tests.unit.runners.platforms.vertex_place import vertex_place

pytestmark = [pytest.mark.replay, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = 20


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        running.answer_from_files()
        yield running


def call(place, *words):
    """What a command answers as JSON."""
    where = ("--json", "--workspace", place.root / "workspace")
    done = run_forked(**fareline_command(*words, *where))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def made_by(place, run_id):
    graph = Graph(open_store(place.root / "workspace" / "metadata.db"))
    return outputs_of_run(graph, run_id)


def require_answers(place, version, made):
    """Google's client gets the predictions of the model that the run of this version trained."""
    [examples] = made["ExampleGen"]["examples"]
    [file] = tf.io.gfile.glob(f"{examples.uri}/Split-eval/*.gz")
    rows = [row.numpy() for row in tf.data.TFRecordDataset(file, "GZIP").take(ROWS)]
    answered, predictions = place.ask(rows)
    [model] = made["Trainer"]["model"]
    [expected] = (
        BatchPredictor(f"{model.uri}/Format-Serving", 1).predict(np.array(rows, object)).values()
    )
    assert answered == version and len(rows) == ROWS
    np.testing.assert_allclose(predictions, expected, atol=1e-6)


def test_two_runs_with_both_destinations_and_a_rollback(place, small_settings):
    # So the server of the image is also started here, with the uploaded files, and asked.
    ours = {"server": "fareline", "image": "europe-docker.pkg.dev/fare-project/images/fareline:1"}
    target = ", ".join(f"{name}: {value!r}" for name, value in (place.target | ours).items())
    both = ("push.destinations=[folder, vertex]", f"push.vertex={{{target}}}")
    made = {}
    for version, seed in ((1, 1), (2, 7)):
        ran = run_fareline(place.root / "workspace", *small_settings, *both, f"seed={seed}")
        assert ran.exit_code == 0, ran.stderr
        made[version] = made_by(place, ran.answer["run_id"])
    assert place.traffic() == {1: 90, 2: 10}
    for version in place.vertex.api.models["taxi"].values():
        assert version["containerSpec"]["healthRoute"] == "/v1/models/model"
    require_answers(place, 1, made[1])
    call(place, "promote", "--destination", "vertex")
    require_answers(place, 2, made[2])
    back = call(place, "rollback", "--destination", "vertex", "--reason", "tips were wrong")
    require_answers(place, 1, made[1])

    shown = call(place, "lineage", "upstream", "live")
    [here, there] = shown["starts"]
    assert (here, there) == (made[2]["Pusher"]["pushed_model"][0].key, back["pushed_model"])
    at_vertex = [each for each in shown["history"] if each["traffic"] is not None]
    assert [(each["change"], each["traffic"]) for each in at_vertex] == [
        ("push", {"1": 100}),
        ("push", {"1": 90, "2": 10}),
        ("promote", {"1": 0, "2": 100}),
        ("rollback", {"1": 100}),
    ]
    nodes = {node["id"].partition("@")[0] for node in shown["nodes"]}
    assert {"ExampleGen", "Transform", "Trainer", "VertexPusher"} <= nodes
