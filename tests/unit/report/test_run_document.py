"""The document of a run: every section from small recorded artifacts, and why one is not there."""

import json
import re
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from cli import app as cli
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from pipeline.settings.settings import Card
from report.run.compare import compare_runs
from report.run.gather import gather
from report.run.page import report_page
from report.run.sections.card import HEADINGS, to_markdown
from report.run.sections.serving import checks_of
from serving.validation.verdict import Budgets, Reason
from tests.stores.of_report import LABELS, SETTINGS, anomalies_of, write_run
from tests.stores.writer import StoreWriter, artifact

SECTIONS = ("data", "features", "training", "evaluation", "serving", "card")


def document_of(store, run="run-1"):
    return gather(Graph(open_store(str(store))), run)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_run(folder)
    write_run(folder, "run-2", pushed=False)
    return folder


@pytest.fixture(scope="module")
def document(folder):
    return document_of(folder / "metadata.db")


def test_every_section_is_there(document):
    assert document.absent == {}
    assert all(getattr(document, name) is not None for name in SECTIONS)
    assert (document.run_id, document.pipeline) == ("run-1", "taxi")


def test_the_verdict_of_a_push_and_of_a_refusal(folder, document):
    assert document.verdict.outcome == "pushed"
    assert document.verdict.headline == f"{document.verdict.model} was pushed."
    assert document.verdict.reasons == []
    assert (document.verdict.version, document.verdict.spans) == ("7", "4")
    assert document.verdict.rows == 11
    assert document.verdict.previous is None
    refused = document_of(folder / "metadata.db", "run-2").verdict
    assert refused.headline == f"{refused.model} was refused. No model was pushed."
    assert refused.reasons == [
        "auc is 0.9000 on overall (95 % interval 0.8800 to 0.9200, of which the lower end counts); "
        "expected at least 0.95 (10 examples)"
    ]
    assert refused.previous == "run-1"
    assert refused.changes["blessings"] == [("Evaluator", "yes", "no")]


def test_the_run_before_is_of_the_same_pipeline(tmp_path):
    store = write_run(tmp_path)
    StoreWriter(store).add_execution("another", "run-between", "ExampleGen")
    write_run(tmp_path, "run-2")
    assert document_of(store, "run-2").verdict.previous == "run-1"
    assert document_of(store, "run-between").verdict.previous is None


def test_the_columns_of_every_split(document):
    data = document.data
    assert (data.rows, data.splits, data.quarantined) == (
        11,
        {"train": 8, "eval": 2},
        {"no_number": 1},
    )
    [row] = data.bad_rows
    assert row == {"source": "a.csv", "line": 7, "reason": "no_number", "message": "Cash bad"}
    columns = {column.name: column for column in data.columns}
    assert list(columns["miles"].splits) == ["train", "eval"]
    miles = columns["miles"].splits["train"]
    assert (miles.missing, miles.zeros, miles.mean, miles.deviation) == (0.25, 0.125, 2.5, 1.25)
    assert (miles.low, miles.median, miles.high) == (0.0, 2.0, 10.0)
    assert miles.quantiles == [0, 1, 2, 3, 4, 10]
    assert [(b.low, b.high, b.count) for b in miles.bins] == [(0, 5, 2), (5, 10, 2)]
    payment = columns["payment"]
    assert payment.splits["train"].top == [("Cash", 6.0), ("Card", 2.0)]
    assert payment.splits["train"].distinct == 2
    assert columns["miles"].roles == ["numeric"]
    [decision] = data.decisions
    assert (decision["action"], decision["rows"], decision["example"]) == ("warn", 3, "Cash")


def test_drift_stands_with_its_column_which_comes_first(document):
    assert document.data.columns[0].name == "payment"
    [drift] = document.data.columns[0].drift
    assert (drift.against, drift.value, drift.threshold, drift.drifted) == (
        "previous",
        0.25,
        0.1,
        True,
    )
    assert drift.said == "share of Cash 50.0 % -> 25.0 %"
    assert document.data.reference == "/data/before"


def test_the_data_before_is_that_which_drift_was_measured_against(tmp_path):
    """Of the reference's statistics, which another run made."""
    write_run(tmp_path, "run-0", name="Wire")
    write_run(tmp_path)
    text = tmp_path.joinpath("run-0", "examples")
    store = tmp_path / "metadata.db"
    graph = Graph(open_store(str(store)))
    [reference] = graph.artifacts_at(str(text))
    writer = StoreWriter(store)
    drift = artifact(tmp_path / "run-1" / "drift", reference=reference.uri)
    writer.add_execution("taxi", "run-1", "DriftMonitor", outputs={"drift": [drift]})
    data = document_of(store).data
    columns = {column.name: column for column in data.columns}
    assert columns["payment"].previous.top == [("Wire", 6.0), ("Card", 2.0)]
    assert data.before == f"{reference.key} of run-0, span 4"


def test_features_search_and_training(document):
    features = {(f.column, f.kind): f for f in document.features.features}
    assert features["payment", "vocabulary"].head == ["Cash", "Card"]
    assert features["payment", "vocabulary"].vocabulary == 2
    assert features["miles", "numeric"].settings == {"log": True}
    [note] = document.features.notes
    assert note.startswith("Means and boundaries cannot be read: ")
    training = document.training
    assert [trial["score"] for trial in training.trials] == [0.8, 0.9]
    assert training.chosen == {"width": 64, "rate": 0.001}
    assert training.curves["val_auc"] == [0.6, 0.8, 0.75]
    assert (training.monitor, training.best, training.planned) == ("val_auc", 1, 5)
    assert training.log_dir.endswith("/model_run")
    assert training.decision["decision"] == "searched"


def test_the_evaluation_and_what_it_was_held_to(document):
    evaluation = document.evaluation
    assert evaluation.overall.metrics == {"auc": 0.9, "example_count": 10}
    assert evaluation.overall.intervals == {"auc": (0.88, 0.92)}
    assert evaluation.overall.baseline == {"auc": 0.85}
    assert [(s.name, s.baseline) for s in evaluation.slices] == [("payment=Cash", {"auc": 0.7})]
    assert [check["passed"] for check in evaluation.checks] == [True, None]
    assert evaluation.worst == ["payment=Cash"]
    assert evaluation.gaps[0]["gap"] == 0.1
    assert evaluation.baseline is not None


def test_serving_in_words(document):
    serving = document.serving
    held = {check["said"]: check["held"] for check in serving.checks}
    assert set(held.values()) == {True}
    details = {check["said"]: check["detail"] for check in serving.checks}
    latency = "the latency is within the limits"
    assert details[latency] == "batch 1: p50 1.5 of 100, p95 2 of 400, p99 3 of 1000 ms"
    memory = "the memory is within the limit and does not grow"
    assert details[memory] == "300 of at most 1024 MiB"
    assert serving.memory == [290.0, 300.0]


@pytest.mark.parametrize("reason", [each for each in Reason if each != Reason.OK])
def test_every_refusal_of_the_server_check_is_shown(reason):
    shown = [each["held"] for each in checks_of(reason, {}, Budgets())]
    assert shown.count(False) == 1


def test_a_refusal_of_the_server_check_ends_it_there(tmp_path):
    store = write_run(tmp_path)
    path = tmp_path / "run-1" / "infra" / "infra_validation.json"
    found = json.loads(path.read_text()) | {
        "ok": False,
        "reason": "differs",
        "message": "it differs",
    }
    path.write_text(json.dumps(found))
    held = [check["held"] for check in document_of(store).serving.checks]
    assert held == [True] * 9 + [False] + [None] * 2


def test_the_record_of_the_run(document):
    record = document.record
    assert [node.name for node in record.nodes][:2] == ["ExampleGen", "StatisticsGen"]
    assert {node.state for node in record.nodes} == {"executed"}
    assert record.overrides == ["seed=Cash"]
    assert record.packages == {"tfx": "1.16.0"}
    assert record.facts["commit"] == "ab" * 20
    assert record.digests["data"] == "cd" * 32
    assert "intended_use" in record.settings


def test_the_card_and_its_markdown(document):
    card = document.card
    assert card.texts == {"Intended use": "For Cash."}
    assert card.metrics[0] == ("auc", 0.9, "at least 0.8")
    assert card.facts["Predicts"] == ["tips (binary): above 0.2 \N{MULTIPLICATION SIGN} fare"]
    assert card.slices == [("payment=Cash", 4, None)]
    text = to_markdown(card)
    assert text.startswith(f"# Model card: {card.model}\n")
    assert "| auc | 0.9 | at least 0.8 |" in text
    assert "## Intended use\n\nFor Cash.\n" in text
    assert "* 1 rows could not be read" not in text
    assert "1 row could not be read" in text


def test_the_card_has_a_heading_for_every_setting():
    assert set(HEADINGS) == set(Card.model_fields)


@pytest.mark.parametrize("text", ["<script>a</script>", "a|b\n# c", "[x](javascript:y)", "`*_~"])
def test_text_is_no_markup_in_the_markdown(tmp_path, text):
    card = document_of(write_run(tmp_path, name=text)).card
    lines = to_markdown(card).splitlines()
    [row] = [line for line in lines if line.startswith("| payment=")]
    assert row.replace("\\|", "").count("|") == 4
    assert "<script" not in "".join(lines)
    assert not re.search(r"(?<!\\)\]\(", "".join(lines))
    assert not [line for line in lines if line.startswith("# ") and "Model card" not in line]


@pytest.mark.parametrize(
    ("stop", "absent"),
    [
        ("ExampleGen", set(SECTIONS)),
        ("Transform", {"features", "training", "evaluation", "serving", "card"}),
        ("Evaluator", {"evaluation", "serving"}),
        ("InfraValidator", {"serving"}),
    ],
)
def test_a_run_that_ended_early_says_what_is_not_there(tmp_path, stop, absent):
    document = document_of(write_run(tmp_path, stop=stop))
    assert set(document.absent) == absent
    assert document.verdict.outcome == "failed"
    assert document.verdict.reasons == [f"{stop} failed: ValueError: Cash is bad"]
    for name in absent - {"card"}:
        assert document.absent[name].startswith(f"The run ended with {stop} before it had ")
    [failure] = document.record.failures
    assert failure["node"] == stop and "Traceback" in failure["traceback"]
    assert failure["log"] == f"fareline logs run-1 {stop}"
    assert document.record.nodes[-1].state in ("skipped", "failed")


def test_payloads_that_are_gone_are_said(tmp_path):
    store = write_run(tmp_path)
    shutil.rmtree(tmp_path / "run-1")
    document = document_of(store)
    assert set(document.absent) == {"serving"}  # what is in the store is still shown
    assert "there is no infra_validation.json at " in document.absent["serving"]
    assert "no statistics at" in document.data.notes[0]
    assert document.evaluation.overall.metrics["auc"] == 0.9
    assert document.evaluation.candidate is None
    assert document.evaluation.notes[0].startswith("Curves were not recorded: ")
    assert document.training.curves == {}


PAYLOADS = (
    "examples/quarantine.jsonl",
    "statistics/Split-train/FeatureStats.pb",
    "drift/drift.json",
    "transform_graph/transform_fn/assets/payment",
    "transform_graph/transform_fn/saved_model.pb",
    "results/tuner_results.json",
    "model_run/training.json",
    "evaluation/curves.json",
    "evaluation/slices.json",
    "infra/infra_validation.json",
)
STRANGE = (
    b"",
    b"\xff\x00\x08\x96",
    b"null",
    b"[]",
    b"[1, null]",
    b'"text"',
    b"{",
    b'{"previous": 3, "evaluations": [], "latency_ms": 3, "candidate": [], "memory_mb": {}}',
    b'{"previous": {"columns": [{}]}, "evaluations": {"auc": 3}, "latency_ms": {"batch_1": 2}}',
    b'{"candidate": {"scores": [{"positives": ["a"], "negatives": [], "bins": 0}]}}',
    b'[{"trial_id": [], "score": {}}, {"score": null}]',
)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A folder with a run whose payloads are written over."""
    folder = tmp_path_factory.mktemp("damaged")
    write_run(folder)
    return folder


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads_of_any_content_have_a_page(damaged, payload):
    path = damaged / "run-1" / payload
    before = path.read_bytes() if path.exists() else None
    for content in STRANGE:
        path.write_bytes(content)
        document = document_of(damaged / "metadata.db")
        assert report_page(document).startswith("<!doctype html>")
        json.dumps(document.as_json(), allow_nan=False)
    path.unlink() if before is None else path.write_bytes(before)


def test_what_a_stock_validator_found(tmp_path):
    anomalies = tmp_path / "anomalies" / "Split-train"
    anomalies.mkdir(parents=True)
    (anomalies / "SchemaDiff.pb").write_bytes(anomalies_of("Cash").SerializeToString())
    writer = StoreWriter(tmp_path / "metadata.db")
    examples = artifact(tmp_path / "e", span=0)
    outputs = {"examples": [examples], "anomalies": [artifact(tmp_path / "anomalies")]}
    writer.add_execution("stock", "2026-01-01T00:00:00.1", "ExampleValidator", outputs=outputs)
    [found] = document_of(tmp_path / "metadata.db", "2026-01-01T00:00:00.1").data.decisions
    assert (found["column"], found["found"], found["splits"]) == (
        "payment",
        "holds Cash",
        ["train"],
    )


def with_settings(folder, **settings):
    """A run whose recorded settings have these sections."""
    store = write_run(folder)
    told = yaml.safe_load(SETTINGS.format(task="binary", label=LABELS["binary"], use="x"))
    StoreWriter(store).record_run("run-1", settings=yaml.safe_dump({**told, **settings}))
    return document_of(store)


@pytest.mark.parametrize(
    "settings",
    [
        {"data": {"columns": {"payment": {"pii": True, "pseudonymize": True}}}},
        {"serving": {"log_exclude": ["payment"]}},
        {"features": {"numeric": {"miles": {}}}},  # nobody uses the other one
    ],
)
def test_values_that_may_be_of_a_person_are_not_shown(tmp_path, settings):
    document = with_settings(tmp_path, **settings)
    columns = {column.name: column for column in document.data.columns}
    assert columns["payment"].splits["train"].top == []
    assert columns["payment"].splits["train"].distinct == 2
    assert columns["miles"].splits["train"].high == 10.0
    assert all(feature.head == [] for feature in document.features.features)


def test_of_a_private_number_only_the_mean_is_shown(tmp_path):
    document = with_settings(tmp_path, serving={"log_exclude": ["miles"]})
    [miles] = [column for column in document.data.columns if column.name == "miles"]
    found = miles.splits["train"]
    assert (found.low, found.median, found.high, found.bins, found.quantiles) == (
        None, None, None, [], [],
    )  # fmt: skip
    assert (found.mean, found.missing) == (2.5, 0.25)
    assert "Statistics of miles" in report_page(document)


def test_the_document_is_json(document):
    text = json.dumps(document.as_json(), allow_nan=False)
    assert json.loads(text)["evaluation"]["overall"]["metrics"]["auc"] == 0.9


def test_two_runs_side_by_side(folder):
    graph = Graph(open_store(str(folder / "metadata.db")))
    found = compare_runs(graph, "run-1", "run-2")
    assert (found.a.run_id, found.b.run_id) == ("run-1", "run-2")
    assert ("Evaluator", "yes", "no") in found.changes["blessings"]
    assert "Differences" in found.page()


# The command.


def ask(*words):
    return CliRunner().invoke(cli.app, ["report", *map(str, words)])


def test_the_command_writes_beside_the_run(folder):
    done = ask("--workspace", folder)
    assert done.exit_code == 0, done.output
    path = folder / "reports" / "run-2.html"
    assert done.stdout == f"{path}\n"
    assert path.read_text().startswith("<!doctype html>")


def test_json_is_the_document_and_writes_nothing(folder, tmp_path):
    done = ask("run-1", "--json", "--store", f"sqlite:{folder / 'metadata.db'}")
    assert json.loads(done.stdout)["run_id"] == "run-1"
    named = tmp_path / "page.html"
    done = ask("run-1", "--json", "--workspace", folder, "-o", named)
    assert json.loads(done.stdout)["run_id"] == "run-1"
    assert named.is_file()


def test_compare_takes_two_runs_and_no_third(folder, tmp_path):
    named = tmp_path / "two.html"
    done = ask("--compare", "run-1", "run-2", "--workspace", folder, "-o", named)
    assert done.exit_code == 0, done.output
    assert "run-1 and run-2" in named.read_text()
    done = ask("run-1", "--compare", "run-1", "run-2", "--workspace", folder)
    assert "run-1: given with --compare; expected --compare RUN_A RUN_B alone" in str(
        done.exception
    )


def test_a_run_that_is_not_there_says_what_is(folder):
    done = ask("run-9", "--workspace", folder)
    assert "run-9: is not in the store" in str(done.exception)
