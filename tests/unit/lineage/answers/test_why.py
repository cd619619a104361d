"""Why a model was blessed and pushed or not: hand-made stores, exact text."""

import json

import pytest
from ml_metadata import proto as mlmd
from ml_metadata.metadata_store import metadata_store
from typer.testing import CliRunner

from cli import app as cli
from fareline.packages import CHECKOUT
from lineage.answers.why.view import judgement_lines, refusals, why_lines
from lineage.answers.why.why import why_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from tests.stores.writer import CACHED, FAILED, StoreWriter, artifact

TRACEBACK = f'Traceback (most recent call last):\n  File "{CHECKOUT}/models/a.py", line 5, in f\n'


def check(slice_name, kind, bound, value, **rest):
    """A check as pipeline.evaluation.verdict writes it."""
    plain = {
        "metric": "auc",
        "slice": slice_name,
        "kind": kind,
        "bound": bound,
        "value": value,
        "judged": value,
        "interval": None,
        "baseline": None,
        "examples": 5000,
        "passed": True,
        "not_counted": "",
        "group": "",
        "best": None,
        "worst": None,
    }
    content = plain | rest
    return content | {"counted": not content["not_counted"]}


def verdict(*checks, **rest):
    plain = {
        "checks": list(checks),
        "gaps": [],
        "worst": [],
        "main_metric": "auc",
        "min_slice_examples": 50,
        "min_label_examples": 10,
        "tfma_refusals": [],
    }
    return json.dumps(plain | rest)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "m.db"


def add_run(store, run, blessing=None, infra=None, pushed=None, **budgets):
    """A run of which the judges' artifacts have these properties; returns the model's id."""
    writer = StoreWriter(store)
    writer.add_execution("taxi", run, "Trainer", outputs={"model": [artifact(f"/{run}")]})
    [model] = writer.artifact_ids
    judges = (
        ("Evaluator", "blessing", blessing, {}),
        ("InfraValidator", "infra_blessing", infra, budgets),
        ("Pusher", "pushed_model", pushed, {}),
    )
    for node, key, properties, rest in judges:
        if properties is not None:
            outputs = {key: [artifact(f"/{run}/{node}", **properties)]}
            inputs = [("model", model)]
            writer.add_execution("taxi", run, node, outputs=outputs, inputs=inputs, **rest)
    return model


def lines(store, run):
    return judgement_lines(why_run(Graph(open_store(store)), run))


GOOD = {"blessed": 1, "verdict": verdict(check("overall", "at_least", 0.94, 0.9551))}
FIT = {"blessed": 1, "reason": "ok", "message": ""}
PUSHED = {"pushed": 1, "pushed_destination": "/serving/taxi/17", "pushed_version": "17"}


def test_a_first_model_that_was_pushed(store):
    measured = {
        "batch_1_p50_ms": 3.25,
        "batch_1_p95_ms": 4.0,
        "peak_memory_mb": 512.0,
        "load_seconds": 1.9,
        "largest_difference": 0.0,
    }
    budgets = {"latency_ms": {"batch_1": {"p50": 100, "p95": 400}}, "memory_mb": 2048}
    add_run(store, "r1", GOOD, FIT | measured, PUSHED, budgets=json.dumps(budgets))
    assert lines(store, "r1") == [
        "Blessed by Evaluator: yes (no blessed model to compare with yet: only thresholds apply)",
        "  ✓ auc is 0.9551 on overall; expected at least 0.94 (5,000 examples)",
        "Blessed by InfraValidator: yes",
        "    latency in ms at batch 1: p50 3.2 of 100, p95 4.0 of 400",
        "    memory in MiB 512.0 of 2,048, loading in s 1.9",
        "Pushed to /serving/taxi/17",
    ]


@pytest.mark.parametrize(("examples", "said"), [(1, "1 example;"), (49, "49 examples;"), (50, "")])
def test_few_examples_are_told_of(store, examples, said):
    checks = verdict(check("overall", "at_least", 0.94, 1.0, examples=examples))
    add_run(store, "r1", {"blessed": 1, "verdict": checks}, FIT, PUSHED)
    found = [line for line in lines(store, "r1") if "evaluated on only" in line]
    assert [f"evaluated on only {said}" in line for line in found] == [True] * bool(said)


def test_every_kind_of_check(store):
    checks = [
        check("overall", "at_least", 0.94, 0.9, passed=False),
        check(
            "overall",
            "at_most_below_baseline",
            0.005,
            0.9,
            baseline=0.95,
            judged=0.05,
            passed=False,
        ),
        check("overall", "at_most_below_baseline", 0.1, 0.9, baseline=0.89, judged=-0.01),
        check("overall", "at_least", 0.89, 0.9, interval=[0.88, 0.92], judged=0.88, passed=False),
        check(
            "pay",
            "max_gap",
            0.2,
            0.3,
            examples=None,
            passed=False,
            group="pay",
            best=["pay=cash", 0.9],
            worst=["pay=card", 0.6],
        ),
        check("pay=card", "at_least", 0.7, 0.6, group="pay", examples=1234, passed=False),
        check("pay=cash", "at_least", 0.7, 0.9, group="pay"),
        check("pay=coin", "at_least", 0.7, 0.8, group="pay"),
        check("pay=a", "at_least", 0.7, 0.1, group="pay", not_counted="few", passed=None),
        check("pay=b", "at_least", 0.7, 0.1, group="pay", not_counted="few", passed=None),
        check("hour", "max_gap", 0.7, None, group="hour", not_counted="one slice", passed=None),
        check("overall", "at_most", 0.99, None, passed=False),
    ]
    told = verdict(
        *checks,
        worst=[
            {"name": "pay=card", "metrics": {"auc": 0.6, "example_count": 1234.0}},
            {"name": "hour=7", "metrics": {"auc": None, "example_count": 80.0}},
        ],
        gaps=[
            {
                "metric": "auc",
                "slices": "pay",
                "gap": 0.3,
                "best": ["pay=cash", 0.9],
                "worst": ["pay=card", 0.6],
                "count": 3,
            }
        ],
        tfma_refusals=["not said, as our own checks say it"],
    )
    blessing = {"blessed": 0, "baseline_model_id": 7, "verdict": told}
    refused = {"pushed": 0, "not_pushed_because": "model_blessing: Evaluator did not bless it"}
    unfit = {"blessed": 0, "reason": "too_slow", "message": "p95 is 900 ms; expected at most 400"}
    add_run(store, "r1", blessing, unfit, refused)
    assert lines(store, "r1") == [
        "Blessed by Evaluator: no (compared with Model:7)",
        "  ✗ auc is 0.9000 on overall; expected at least 0.94 (5,000 examples)",
        "  ✗ auc is 0.9000 on overall, 0.0500 below Model:7's 0.9500; expected at most 0.005 below "
        "(5,000 examples)",
        "  ✗ auc is 0.9000 on overall (95 % interval 0.8800 to 0.9200, of which the lower end "
        "counts); expected at least 0.89 (5,000 examples)",
        "  ✗ auc differs by 0.3000 between slices of pay (0.9000 on pay=cash, 0.6000 on pay=card); "
        "expected at most 0.2",
        "  ✗ auc is 0.6000 on pay=card; expected at least 0.7 (1,234 examples)",
        "  ✗ auc is undefined on overall; expected at most 0.99 (5,000 examples)",
        "  ✓ auc is 0.9000 on overall, 0.0100 above Model:7's 0.8900; expected at most 0.1 below "
        "(5,000 examples)",
        "  ✓ auc is at least 0.7 on 2 slices of pay; the worst: 0.8000 on pay=coin",
        "  · auc does not count on 2 slices of pay: few",
        "  · the gap of auc does not count on hour: one slice",
        "Worst slices by auc, of those with at least 50 examples and 10 of each label:",
        "    pay=card  0.6000  (1,234 examples)",
        "    hour=7    undefined  (80 examples)",
        "Gap of auc by pay: 0.3000 (0.9000 on pay=cash, 0.6000 on pay=card)",
        "Blessed by InfraValidator: no",
        "  ✗ too_slow: p95 is 900 ms; expected at most 400",
        "Refused: no model was pushed.",
        "  · model_blessing: Evaluator did not bless it",
    ]
    found = refusals(why_run(Graph(open_store(store)), "r1"))
    assert found[0] == "auc is 0.9000 on overall; expected at least 0.94 (5,000 examples)"
    assert found[-1] == "infra validation: p95 is 900 ms; expected at most 400"
    assert len(found) == 7


def test_what_only_tfma_refuses_is_said(store):
    told = verdict(check("overall", "at_least", 0.5, 0.9), tfma_refusals=["auc is nan"])
    add_run(store, "r1", {"blessed": 0, "verdict": told}, FIT)
    assert lines(store, "r1")[1:3] == [
        "  ✗ auc is nan",
        "  ✓ auc is 0.9000 on overall; expected at least 0.5 (5,000 examples)",
    ]
    assert refusals(why_run(Graph(open_store(store)), "r1")) == ["auc is nan"]


def test_what_refuses_without_a_check_and_what_is_too_good_is_said(store):
    told = verdict(
        check("overall", "at_least", 0.5, 0.9),
        tfma_refusals=["not said, as our own words say it"],
        refusals=["a prediction is 2; expected a probability, from 0 to 1"],
        warnings=["auc is 1.00000 on 5,000 examples"],
    )
    add_run(store, "r1", {"blessed": 0, "verdict": told}, FIT)
    assert lines(store, "r1")[1:4] == [
        "  ✗ a prediction is 2; expected a probability, from 0 to 1",
        "  · auc is 1.00000 on 5,000 examples",
        "  ✓ auc is 0.9000 on overall; expected at least 0.5 (5,000 examples)",
    ]
    found = refusals(why_run(Graph(open_store(store)), "r1"))
    assert found == ["a prediction is 2; expected a probability, from 0 to 1"]


def test_a_push_that_was_withheld(store):
    add_run(store, "r1", GOOD, FIT, {"pushed": 0, "not_pushed_because": "rolled back"})
    assert lines(store, "r1")[-2:] == ["Refused: no model was pushed.", "  · rolled back"]
    assert refusals(why_run(Graph(open_store(store)), "r1")) == ["push: rolled back"]


def test_a_stock_store_says_what_is_not_recorded(store):
    infra = {"blessing_status": "INFRA_NOT_BLESSED"}
    add_run(store, "r1", {"blessed": 0}, infra, {"pushed": 0})
    unknown = "  · why is not recorded: stock TFX, or an older version, judged it"
    assert lines(store, "r1") == [
        "Blessed by Evaluator: no (no blessed model to compare with yet: only thresholds apply)",
        unknown,
        "Blessed by InfraValidator: no",
        unknown,
        "Refused: no model was pushed.",
        unknown,
    ]


def test_a_run_that_failed_and_one_without_judges(store):
    StoreWriter(store).add_execution("taxi", "r1", "Evaluator", FAILED)
    assert lines(store, "r1") == [
        "Blessed by Evaluator: not checked (Evaluator@r1 is failed)",
        "Blessed by InfraValidator: not checked (there is none in the run)",
        "No model was pushed (there is none in the run)",
    ]


def test_a_cached_verdict_names_the_model(store):
    model = add_run(store, "r1", GOOD, FIT)
    blessing = {"blessing": [artifact("/b", **GOOD, current_model_id=model)]}
    writer = StoreWriter(store)
    writer.add_execution("taxi", "r1", "Evaluator", outputs=blessing)
    reused = [("blessing", writer.artifact_ids[0])]
    writer.add_execution("taxi", "r2", "Evaluator", CACHED, reused=reused)
    told = why_run(Graph(open_store(store)), "r2")
    assert told["model"] == f"Model:{model}"
    assert told["evaluator"]["state"] == "cached"
    assert why_lines(told)[0] == f"Model:{model} of r2 (taxi)"


def ask(store, *words):
    done = CliRunner().invoke(cli.app, ["why", *words, "--store", str(store)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command(store):
    first = add_run(store, "r1", {"blessed": 0, "verdict": verdict()}, FIT)
    second = add_run(store, "r2", GOOD, FIT, PUSHED)
    assert ask(store).splitlines()[0] == f"Model:{second} of r2 (taxi)"
    for target in ("live", "r2", f"Model:{second}"):
        assert ask(store, target).splitlines()[-1] == "Pushed to /serving/taxi/17"
    assert ask(store, "r1").splitlines()[:2] == [
        f"Model:{first} of r1 (taxi)",
        "Blessed by Evaluator: no (no blessed model to compare with yet: only thresholds apply)",
    ]
    answer = json.loads(ask(store, "--json"))
    assert list(answer) == [
        "run_id",
        "pipeline",
        "model",
        "evaluator",
        "infra_validator",
        "pusher",
        "on_vertex",
        "sample",
        "failed",
        "running",
    ]
    assert answer["evaluator"]["verdict"]["checks"][0]["value"] == 0.9551


def test_the_latest_word_on_a_model_counts(store):
    model = add_run(store, "r1", GOOD, FIT, PUSHED)
    again = {"blessing": [artifact("/b2", blessed=0, baseline_model_id=3, verdict=verdict())]}
    inputs = [("model", model)]
    StoreWriter(store).add_execution("taxi", "r2", "Evaluator", outputs=again, inputs=inputs)
    answer = json.loads(ask(store, f"Model:{model}", "--json"))
    assert answer["evaluator"]["execution"] == "Evaluator@r2"
    assert (answer["evaluator"]["blessed"], answer["evaluator"]["baseline"]) == (False, "Model:3")
    assert answer["pusher"]["version"] == "17"


def test_text_of_the_store_is_not_obeyed(store):
    infra = {"blessed": 0, "reason": "r", "message": "[red]\x1b[31m"}
    add_run(store, "r1", GOOD, infra)
    assert "  ✗ r: [red]\\x1b[31m" in ask(store).splitlines()


def test_a_run_that_failed_says_where(store):
    writer = StoreWriter(store)
    writer.add_run("taxi", "r1", 1_767_268_800_000, {"Trainer": (FAILED, 1)})
    handle = metadata_store.MetadataStore(sqlite_connection(store))
    [execution] = handle.get_executions()
    result = json.dumps({"resultMessage": f"{TRACEBACK}ValueError: no", "code": 2})
    execution.custom_properties["__execution_result__"].string_value = result
    handle.put_executions([execution])
    assert ask(store, "r1").splitlines()[:2] == [
        "No model of r1 (taxi)",
        "Trainer failed: ValueError: no, at models/a.py:5, in f",
    ]
    assert json.loads(ask(store, "r1", "--json"))["failed"] == [
        {
            "node": "Trainer",
            "execution": "Trainer@r1",
            "error": "ValueError: no",
            "place": "models/a.py:5, in f",
        }
    ]
    # A node that failed has no model, and is no less to be asked about.
    for node in ("Trainer@r1", "Trainer@latest"):
        assert ask(store, node) == ask(store, "r1")


def test_of_a_model_it_says_which_node_failed_that_read_it(store):
    model = add_run(store, "r1")
    writer = StoreWriter(store)
    judged = writer.add_execution(
        "taxi", "r1", "Evaluator", outputs={}, inputs=[("model", model)], state=FAILED
    )
    handle = metadata_store.MetadataStore(sqlite_connection(store))
    [execution] = handle.get_executions_by_id([judged])
    result = json.dumps({"resultMessage": f"{TRACEBACK}ValueError: no.", "code": 2})
    execution.custom_properties["__execution_result__"].string_value = result
    handle.put_executions([execution])
    told = "Evaluator failed: ValueError: no, at models/a.py:5, in f"
    assert ask(store, f"Model:{model}").splitlines()[1] == told
    answer = json.loads(ask(store, f"Model:{model}", "--json"))
    assert [each["execution"] for each in answer["failed"]] == ["Evaluator@r1"]


def test_of_a_run_that_was_killed_it_says_what_was_at_work(store):
    running = mlmd.Execution.RUNNING
    StoreWriter(store).add_run("taxi", "r1", 1, {"Transform": (running, 1), "Tuner": (running, 1)})
    told = (
        "is marked as running: it is at work, or its process was killed; `fareline lineage verify`"
    )
    lines = ask(store, "r1").splitlines()
    assert [line.partition(" tells")[0] for line in lines[1:3]] == [
        f"Transform@r1 {told}",
        f"Tuner@r1 {told}",
    ]
    assert json.loads(ask(store, "r1", "--json"))["running"] == ["Transform@r1", "Tuner@r1"]


def test_a_model_of_a_sample(store):
    held_back = {"pushed": 0, "not_pushed_because": "the model is of a sample", "sample": "2000"}
    model = add_run(store, "r1", GOOD, FIT, held_back)
    assert ask(store, "r1").splitlines()[-1] == "Not pushed: the model is of a sample"
    answer = json.loads(ask(store, "r1", "--json"))
    assert answer["pusher"]["sample"] == 2000
    assert refusals(answer) == []
    assert answer["model"] == f"Model:{model}"
