"""fareline predict --vertex: Google's client, and a job on loopback that asks the pushed model.

The answers are those of the same command without Vertex, row for row.
"""

import base64
import io
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import FarelineError, Interrupted, UserMistake
from runners.platforms.jobs import UnreachableError
from runners.platforms.vertex.batch import job as batch_job
from runners.platforms.vertex.batch.rows import Instances
from serving.model.batch import BatchPredictor
from serving.versions.publish import publish
from tests.component.serving import models_for_tests
from tests.unit.runners.platforms.vertex_place import killed_at, vertex_place

ROWS = 25
SETTINGS = """\
name: taxi
task: regression
data: {source: {dataset: chicago_taxi}}
features: {numeric: {x: {}}}
label: {column: y}
push:
  destinations: [folder, vertex]
  vertex: {project: fare-project, region: europe-west4, bucket: "gs://taxi-bucket"}
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A SavedModel that answers y = 2 x, and loaded as the model server has it."""
    folder = models_for_tests.save_model(tmp_path_factory.mktemp("model") / "saved")
    return folder, BatchPredictor(folder, 1)


@pytest.fixture
def place(tmp_path, monkeypatch, saved):
    """The model is version 1 on Vertex AI and answers there; 25 rows are to be predicted."""
    folder, loaded = saved
    with vertex_place(tmp_path, monkeypatch) as running:
        shutil.copytree(folder, running.model_folder("model-1"))
        running.record("model-1")

        def answer(instances):
            examples = [base64.b64decode(each["examples"]["b64"]) for each in instances]
            return loaded.predict(np.array(examples, object))["y"].tolist()

        running.vertex.api.predict = answer
        rows = [f"n{i},{x}" for i, x in enumerate(np.linspace(-3, 1e6, ROWS).round(3))]
        (tmp_path / "in.csv").write_text("\n".join(["note,x", *rows]) + "\n")
        (tmp_path / "settings.yaml").write_text(SETTINGS)
        yield running


def predict(place, output, *arguments):
    words = ["predict", "--json", "--input", place.root / "in.csv", "--output", place.root / output]
    ran = CliRunner().invoke(cli.app, [str(word) for word in (*words, *arguments)])
    if isinstance(ran.exception, FarelineError):
        raise ran.exception
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return json.loads(ran.stdout)


def on_vertex(place, output="there.csv", *arguments):
    where = ("--workspace", place.root / "workspace", "--config", place.root / "settings.yaml")
    return predict(place, output, "--vertex", *where, "--batch-size", "10", *arguments)


def files_there(place):
    return [p for p in (place.root / "buckets").rglob("*") if p.is_file() and "predict" in str(p)]


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet"])
def test_the_same_rows_as_locally(place, saved, output):
    publish(saved[0], str(place.root / "serving"), version=1)
    local = ("--model-dir", place.root / "serving", "--batch-size", "10")
    here = predict(place, f"here-{output}", *local)
    place.vertex.api.polls = 2
    there = on_vertex(place, f"there-{output}")
    written = [(place.root / f"{where}-{output}").read_bytes() for where in ("here", "there")]
    assert written[0] == written[1]
    assert there["model"] == "vertex://fare-project/europe-west4/taxi/1" and here["job"] is None
    assert {n: there[n] for n in ("rows", "predicted")} == {"rows": ROWS, "predicted": ROWS}
    [name] = place.batch.jobs
    sent = place.batch.jobs[name]
    assert there["job"] == name
    assert sent["model"].endswith("/models/taxi@1")
    assert sent["manualBatchTuningParameters"] == {"batchSize": 10}
    assert not files_there(place)
    assert not [p.name for p in place.root.iterdir() if p.name.startswith("fareline-predict-")]


def test_the_order_of_features_in_an_example_does_not_matter():
    """The encoder writes a map in any order; the rows are the same, and so is the job."""
    parts = []
    for number in range(8):
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=[number]))
        features = tf.train.Features(feature={f"column_{number}": feature})
        parts.append(tf.train.Example(features=features).SerializeToString())
    written = []
    for order in (parts, parts[::-1]):  # messages one after the other are merged by a reader
        file = io.StringIO()
        instances = Instances(file, "examples")
        instances.add(np.array([b"".join(order)], object))
        written.append((instances.sha256, instances.batches, file.getvalue()))
    assert written[0] == written[1]


def test_a_refused_file_starts_no_job(place):
    (place.root / "in.csv").write_text("note,x\na,1\nb,many\n")
    with pytest.raises(UserMistake, match="no prediction was written"):
        on_vertex(place)
    assert (place.root / "there.csv.quarantine.jsonl").is_file()
    (place.root / "in.csv").write_text("prediction,x\n1,2\n")
    with pytest.raises(UserMistake, match="has a column 'prediction' already"):
        on_vertex(place)
    assert not place.batch.jobs and not files_there(place)


def _quota(place):
    place.vertex.api.machines = 0


def _no_permission(place):
    place.vertex.api.permissions.discard("aiplatform.batchPredictionJobs.create")


def _no_bucket(place):
    shutil.rmtree(place.root / "buckets" / "taxi-bucket")


def _fails(place):
    place.batch.failing = "Model server never became ready.\nSee the logs."


def _image(place):
    place.vertex.api.images.add("europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest")


def _gone(place):
    del place.vertex.api.models["taxi"]


def _not_ours(place):
    labels = {"fareline_push": "done"}
    kept = {**place.vertex.api.models["taxi"][1], "versionId": "2", "versionAliases": ["live"]}
    place.vertex.api.models["taxi"] = {2: {**kept, "labels": labels}}


def _bad_row(place):
    place.batch.bad_rows = {3}


def _other_answers(place):
    place.vertex.api.predict = lambda instances: [{"z": 1} for _ in instances]


def _region(place):
    text = SETTINGS.replace("europe-west4", "us-central1")
    (place.root / "settings.yaml").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_quota, "vertex: a quota is exhausted"),
        (_no_permission, "Permission 'aiplatform.batchPredictionJobs.create' denied"),
        (_no_bucket, "The specified bucket does not exist"),
        (_fails, "ended as failed (Model server never became ready. See the logs)"),
        (_image, "does not have permission to pull the image"),
        (_gone, "the Model Registry has no version there"),
        (_not_ours, "version 2 of vertex://fare-project/europe-west4/taxi: is on Vertex, but not"),
        (_bad_row, "1 of 25 rows have no answer, the first is row 4, the first error is: Could"),
        (_other_answers, "is no answer to a row (KeyError: 'y'); expected a key and y"),
        (_region, "no model was pushed there"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(place, spoil, said):
    spoil(place)
    with pytest.raises(FarelineError) as raised:
        on_vertex(place)
    assert said.lower() in str(raised.value).lower()
    assert "\n" not in str(raised.value) and "Hint:" in str(raised.value)
    assert not (place.root / "there.csv").exists() and not files_there(place)


@pytest.mark.parametrize("option", [("--model-dir", "m"), ("--log-share", "0.5")])
def test_options_of_a_local_model_are_refused(place, option):
    with pytest.raises(UserMistake, match=f"found {option[0]} as well"):
        on_vertex(place, "there.csv", *option)


def test_an_interrupted_command_cancels_its_job_or_names_it(place):
    place.vertex.api.polls = 5

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted, match=": cancelled"):
        patch.setattr(batch_job.time, "sleep", interrupt)
        on_vertex(place)
    [job] = place.batch.jobs.values()
    assert job["state"] == "JOB_STATE_CANCELLING" and not files_there(place)
    place.vertex.api.permissions.discard("aiplatform.batchPredictionJobs.cancel")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted) as raised:
        patch.setattr(batch_job.time, "sleep", interrupt)
        on_vertex(place)
    second = list(place.batch.jobs)[1]
    assert str(raised.value).startswith(f"{second}: was not cancelled and goes on")
    assert on_vertex(place)["job"] == second and len(place.batch.jobs) == 2


def test_files_that_cannot_be_removed_are_told_and_the_predictions_are_written(place, capfd):
    place.storage.api.may_delete = False
    words = ["predict", "--vertex", "--input", place.root / "in.csv"]
    words += ["--output", place.root / "there.csv", "--workspace", place.root / "workspace"]
    words += ["--config", place.root / "settings.yaml"]
    ran = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert ran.exit_code == 0 and (place.root / "there.csv").is_file()
    told = "rows and answers stay in gs://taxi-bucket/vertex-predictions/taxi/1-"
    assert told in ran.output + capfd.readouterr().err


def test_a_job_that_takes_too_long_is_named_and_waited_for_by_the_next_command(place, monkeypatch):
    place.vertex.api.polls = 1
    with monkeypatch.context() as patch, pytest.raises(UnreachableError) as raised:
        patch.setattr(batch_job, "_LIMIT_SECONDS", -1.0)
        on_vertex(place)
    [name] = place.batch.jobs
    assert str(raised.value).startswith(f"{name}: has not ended within six hours")
    assert on_vertex(place)["job"] == name and len(place.batch.jobs) == 1


@pytest.mark.parametrize("arrives", [False, True])
def test_killed_at_any_request_and_typed_again(place, monkeypatch, arrives):
    """One job is paid for, whatever had arrived, until its answers were written."""
    place.vertex.api.polls = 1
    for request in range(1, 40, 4):
        place.batch.jobs.clear()
        (place.root / "there.csv").unlink(missing_ok=True)
        with killed_at(request, arrives, monkeypatch) as killed:
            on_vertex(place)
        if not killed:
            break
        written = (place.root / "there.csv").exists()
        on_vertex(place)
        assert len(place.batch.jobs) == 1 or written, f"request {request}"
        assert not files_there(place)
    else:
        pytest.fail("the command has more requests than were tried")


def test_our_container_serves_the_pushed_model_where_vertex_asks(place, saved, monkeypatch):
    """The files are those that were pushed, and go when the server ends."""
    served = []

    def run(options):
        predictor = BatchPredictor(f"{options.base}/1", 1)
        example = models_for_tests.make_example(1.5)
        answer = predictor.predict(np.array([example], object))["y"].tolist()
        served.append((options.host, options.rest_port, options.name, answer, options.base))

    monkeypatch.setattr("serving.server.server.run_server", run)
    monkeypatch.setenv("AIP_HTTP_PORT", "7080")
    words = ["serve", "--vertex", "--workspace", str(place.root / "workspace")]
    uri = place.vertex.api.models["taxi"][1]["artifactUri"]
    monkeypatch.setenv("AIP_STORAGE_URI", uri)
    ran = CliRunner().invoke(cli.app, words)
    assert ran.exit_code == 0, (ran.output, ran.exception)
    [(*got, base)] = served
    assert got == ["0.0.0.0", 7080, "model", [[3.0]]]
    assert not os.path.exists(base)
    with pytest.raises(UserMistake, match="serve --vertex: found --model-dir as well"):
        raise CliRunner().invoke(cli.app, [*words, "--model-dir", "m"]).exception
