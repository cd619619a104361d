"""Runs and artifacts from Python, on small recorded runs; rows and models are in tests/e2e."""

import re
import subprocess
import sys
from html import unescape

import pandas as pd
import pytest

import fareline
from fareline.errors import UserMistake
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.api.slices import in_slice
from report.run.gather import gather
from report.run.page import report_page
from tests.stores.of_report import write_run
from tests.stores.writer import StoreWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    write_run(folder)
    write_run(folder, "run-2", pushed=False)
    write_run(folder, "run-3", stop="Trainer", name="<b>x</b>")
    return folder


@pytest.fixture
def w(folder):
    return fareline.open(folder)


def test_runs_are_a_table_with_their_metrics_and_hyperparameters(w, folder):
    table = w.runs()
    assert list(table.index) == ["run-3", "run-2", "run-1"]
    assert list(table.outcome) == ["failed", "refused", "pushed"]
    assert list(table.live) == [False, False, True]
    assert table.version["run-1"] == "7"
    document = gather(Graph(open_store(folder / "metadata.db")), "run-1")
    for name, value in document.evaluation.overall.metrics.items():
        assert table[name]["run-1"] == value
    for name, value in document.training.chosen.items():
        assert table[name]["run-1"] == value
    assert str(table.started.dtype) == "datetime64[ns, UTC]"
    assert list(w.runs(limit=1).index) == ["run-3"]


def test_a_run_has_what_its_page_has(w, folder):
    run, document = w.run("run-1"), gather(Graph(open_store(folder / "metadata.db")), "run-1")
    assert (run.pipeline, run.outcome, run.error) == ("taxi", "pushed", None)
    assert run.metrics == document.evaluation.overall.metrics
    assert run.settings["name"] == "taxi"
    slices = run.slices
    assert list(slices.index) == ["overall", *(s.name for s in document.evaluation.slices)]
    assert list(run.nodes.index) == [node.name for node in document.record.nodes]
    assert list(run.nodes.seconds) == [node.seconds for node in document.record.nodes]
    column = document.data.columns[0]
    for split, stats in column.splits.items():
        assert run.statistics().loc[(column.name, split), "missing"] == stats.missing
    learning = run.learning()
    for name, curve in document.training.curves.items():
        assert list(learning[name].dropna()) == [v for v in curve if v is not None]
    assert learning.index[0] == document.training.steps_per_evaluation
    assert len(run.trials()) == len(document.training.trials)
    assert run.page() == report_page(document)


def test_the_area_below_the_curve_is_computed_twice(w):
    curves = w.run("run-1").curves()
    found = curves[curves["of"] == "candidate"]
    assert (found.tp / found.positives).tolist() == found.recall.tolist()
    assert found.recall.iloc[0] == 1.0
    assert found.threshold.is_monotonic_increasing


def test_a_failed_run_says_what_it_failed_with(w):
    error = w.run("run-3").error
    assert (error.node, error.error) == ("Trainer", "ValueError: <b>x</b> is bad")
    assert error.traceback.startswith("Traceback")
    assert str(error) == "Trainer: ValueError: <b>x</b> is bad"
    assert w.run("run-3").model is None


@pytest.mark.parametrize("asked", ["slices", "curves", "predictions"])
def test_what_a_run_has_not_is_said_in_a_line_with_the_reason(w, asked):
    with pytest.raises(
        UserMistake, match="run-3: has no .*; expected a run that got this far"
    ) as no:
        found = getattr(w.run("run-3"), asked)
        found()
    assert "\n" not in str(no.value)


def test_models_and_the_one_that_is_live(w):
    table = w.models()
    assert list(table.run) == ["run-2", "run-1"]
    assert list(table.live) == [False, True]
    live = w.live
    assert live.id == table.index[1] and live.run == "run-1" and live.node == "Trainer"
    assert live.versions == ["7"] and live.live and live.blessed
    assert live.metrics == w.run("run-1").metrics
    assert w.model("run-1").id == live.id
    with pytest.raises(UserMistake, match=re.escape(f"{live.id}: has no saved_model.pb at ")):
        _ = live.path


def test_several_live_models_are_named_and_none_is_chosen(tmp_path):
    write_run(tmp_path, destination="/serving/a/1")
    write_run(tmp_path, "run-2", destination="/serving/b/1")
    with pytest.raises(UserMistake, match=r"serves 2 models; .*Model:\d+ at /serving/a/1, Model:"):
        _ = fareline.open(tmp_path).live


def test_upstream_of_a_model_is_all_that_it_came_from(w):
    found = w.run("run-1").model.upstream()
    assert found.index[0] == "Trainer@run-1"
    assert found.steps.is_monotonic_increasing
    assert {"execution", "artifact"} <= set(found.kind)
    assert "Model" not in set(found.type)


def test_examples_without_files_are_said_to_be_gone(w):
    with pytest.raises(UserMistake, match=r"examples\('nope'\): nope is none of Examples:\d+"):
        w.run("run-1").examples("nope")


def test_what_a_running_pipeline_adds_is_there_at_the_next_question(tmp_path):
    write_run(tmp_path)
    w = fareline.open(tmp_path)
    assert len(w.runs()) == 1
    graph = w.graph()
    assert w.graph() is graph  # nothing was read again
    write_run(tmp_path, "run-2")
    assert len(w.runs()) == 2


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "nowhere: no such folder; expected the folder of a workspace"),
        (".", ".: holds no metadata.db; expected the folder of a workspace"),
        ("oracle://a/b", "oracle://a/b"),
    ],
)
def test_what_is_no_workspace_is_said_in_a_line(tmp_path, monkeypatch, place, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserMistake, match=re.escape(said)) as error:
        fareline.open(place)
    assert "\n" not in str(error.value)


def test_an_sqlite_file_is_a_store_too(folder):
    assert len(fareline.open(folder / "metadata.db").runs()) == 3
    assert len(fareline.open(f"sqlite:{folder / 'metadata.db'}").runs()) == 3


def test_an_empty_store_has_no_runs_and_no_models(tmp_path):
    StoreWriter(tmp_path / "metadata.db")
    w = fareline.open(tmp_path)
    assert (len(w.runs()), len(w.models()), w.live) == (0, 0, None)
    with pytest.raises(UserMistake, match="latest: the store has no run"):
        w.run()
    assert "0 runs" in w._repr_html_()


# Pictures.


def test_objects_show_the_pictures_of_the_page(w):
    """Of every type that has some; each drawing is one that the page has, to the byte."""
    run = w.run("run-1")
    page = run.page()
    shown = {}
    for artifact in run.artifacts:
        html = artifact._repr_html_()
        if html is None:
            continue
        shown[artifact.type.rpartition(".")[2]] = html
        drawings = re.findall(r"<svg.*?</svg>", unescape(html), re.DOTALL)
        assert all(drawing in page for drawing in drawings), artifact.id
    assert set(shown) == {
        *("Examples", "ExampleStatistics", "DataDrift", "DataDecision", "TunerResults"),
        *("ModelRun", "ModelEvaluation", "ModelBlessing", "InfraBlessing"),
    }
    for kind in ("ExampleStatistics", "ModelRun", "ModelEvaluation", "InfraBlessing"):
        assert "&lt;svg" in shown[kind], kind


def test_what_is_shown_in_a_notebook_is_in_a_frame_and_escaped(w):
    html = w.run("run-3")._repr_html_()
    assert html.startswith("<iframe ") and 'sandbox="allow-scripts"' in html
    assert "<b>x</b>" not in html
    assert "<b>x</b>" not in w._repr_html_()


# Slices.


ROWS = pd.DataFrame(
    {
        "payment": ["Cash", "Card", "Cash, or so", None],
        "miles": [0.5, 1.0, 5.0, float("nan")],
        "hour": [1, 2, 2, 3],
    }
)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("overall", [0, 1, 2, 3]),
        ("payment=Cash", [0]),
        ("payment=Cash, or so", [2]),
        ("miles=below 1", [0]),
        ("miles=1 to below 5", [1]),
        ("miles=5 or more", [2]),
        ("hour=2", [1, 2]),
        ("hour=2, payment=Card", [1]),
        ("hour=2, payment=Cash, or so", [2]),
        ("miles=1 to below 5, payment=Cash", []),
    ],
)
def test_rows_of_a_slice(name, rows):
    assert ROWS.index[in_slice(ROWS, name)].tolist() == rows


@pytest.mark.parametrize("name", ["tips=1", "Cash", "payment"])
def test_a_slice_of_other_columns_is_refused(name):
    with pytest.raises(UserMistake, match="is not a slice of these rows; expected COLUMN=VALUE"):
        in_slice(ROWS, name)


# Light.


def test_opening_and_listing_imports_nothing_heavy(folder):
    script = (
        "import sys, fareline; fareline.open(sys.argv[1]).runs(); "
        "heavy = 'tensorflow tfx apache_beam keras pydantic jinja2 rich grpc'.split(); "
        "print(sorted(set(heavy) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ml_metadata_finds_grpc_when_it_needs_it():
    """What was put off is loaded at its first use, and is the package that others import."""
    script = (
        "import fareline; fareline.open; "
        "from ml_metadata.metadata_store import metadata_store as store; import grpc; "
        "assert store.grpc is not grpc and store.grpc.RpcError is grpc.RpcError"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_module_of_another_by_one_of_our_names_is_said(folder, tmp_path):
    (tmp_path / "data.py").write_text("mine = 1\n")
    script = "import data, fareline; assert data.mine; fareline.open('x')"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    [last] = done.stderr.splitlines()[-1:]
    assert f"data: imported from {tmp_path / 'data.py'} in this program; expected that of" in last
    assert "rename that file or folder" in last


def test_other_names_are_no_attributes_of_the_package():
    with pytest.raises(AttributeError, match="module 'fareline' has no attribute 'opens'"):
        _ = fareline.opens
