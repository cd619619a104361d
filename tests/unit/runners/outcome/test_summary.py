"""What came of a run: status, exit code, the JSON answer, the text, and a failure in one line."""

import errno
import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from cli.answers.answers import require_as_declared
from fareline.disk import disk_error
from fareline.errors import DataError
from fareline.recorded.tuning import WarmStart, tuning_of
from lineage.graph.elements import Artifact
from lineage.store.open import open_store
from pipeline.evaluation.eval_config import SliceMetrics
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.settings.load import load_settings
from runners.local.runner import NodeResult
from runners.outcome import summary
from runners.outcome.page import Page
from runners.outcome.summary import (
    EXIT_CODES,
    Outcome,
    data_line,
    describe_error,
    place_of,
    print_summary,
    read_outcome,
)
from runners.progress import NodeState
from runners.workspace import Workspace
from tests.stores.writer import FAILED, StoreWriter, artifact

OVERALL = SliceMetrics(
    "overall",
    {
        "auc": 0.9551,
        "pr_auc": 0.84,
        "accuracy": 0.9,
        "calibration": math.nan,
        "example_count": 5001.0,
        "label_mean": 0.25,
    },
)
WORKSPACE = Workspace(Path("/runs/[ws]"))


def told(blessed=True, baseline=None, pushed_to="/runs/[ws]/serving/taxi/1", checks=()):
    """What lineage.answers.why.why says of a run; its words are tested in test_why.py."""
    verdict = {
        "checks": list(checks),
        "gaps": [],
        "worst": [],
        "main_metric": "auc",
        "min_slice_examples": 50,
        "min_label_examples": 10,
        "tfma_refusals": [],
    }
    place = {"execution": "X@run-1", "state": "executed"}
    return {
        "run_id": "run-1",
        "pipeline": "taxi",
        "model": "Model:9",
        "evaluator": {
            **place, "blessed": blessed, "baseline": baseline, "decision": None,
            "left_out": [], "verdict": verdict
        },
        "infra_validator": {
            **place, "blessed": True, "reason": "ok", "message": "", "measured": {}, "budgets": None
        },
        "pusher": {
            **place, "pushed": bool(pushed_to), "destination": pushed_to, "version": "1",
            "not_pushed_because": "Evaluator did not bless the model",
        },
    }  # fmt: skip


MISSED = {
    "metric": "auc", "slice": "overall", "kind": "at_least", "bound": 0.94, "value": 0.9,
    "judged": 0.9, "interval": None, "baseline": None, "examples": 5001, "passed": False,
    "not_counted": "", "group": "", "best": None, "worst": None, "counted": True,
}  # fmt: skip


def outcome(**changes):
    return Outcome(
        **{
            "run_id": "run-1",
            "nodes": [
                NodeResult("ExampleGen", NodeState.CACHED, 0.0414),
                NodeResult("Pusher", NodeState.EXECUTED, 2.0),
            ],
            "slices": [OVERALL, SliceMetrics("hour=7", {"auc": 0.5, "calibration": math.inf})],
            "blessed": True,
            "infra_blessed": True,
            "reasons": [],
            "baseline": None,
            "pushed_to": "/runs/[ws]/serving/taxi/1",
            "workspace": WORKSPACE,
            "log_path": Path("/runs/[ws]/logs/run-1.log"),
            "wall_seconds": 61.23456,
            "why": told(),
            "page": Page(Path("/runs/[ws]/reports/run-1.html")),
        }
        | changes
    )


def raised(error, cause=None):
    """The error as it is caught, with its cause or context."""
    try:
        if cause is None:
            raise error
        raise error from cause
    except type(error) as caught:
        return caught


REFUSED = {
    "pushed_to": None,
    "blessed": False,
    "reasons": ["auc is 0.9000 on overall; expected at least 0.94"],
    "baseline": "Model:7",
    "why": told(False, "Model:7", None, [MISSED]),
}
FAILURE = {
    "pushed_to": None,
    "slices": [],
    "blessed": False,
    "infra_blessed": False,
    "nodes": [
        NodeResult("ExampleGen", NodeState.EXECUTED, 1.0),
        NodeResult("Trainer", NodeState.FAILED, 2.0, RuntimeError("out of [memory]\ndetails")),
        NodeResult("Pusher", NodeState.SKIPPED),
    ],
}


# Status.


@pytest.mark.parametrize(
    ("changes", "status", "exit_code"),
    [({}, "pushed", 0), (REFUSED, "refused", 3), (FAILURE, "failed", 1)],
)
def test_status_and_exit_code(changes, status, exit_code):
    assert outcome(**changes).status == status
    assert EXIT_CODES[status] == exit_code


@pytest.mark.parametrize("publishes", [True, False])
@pytest.mark.parametrize("blessed", [True, False])
def test_a_condition_that_keeps_a_refused_model_from_its_pusher_is_a_refusal(blessed, publishes):
    why = told(blessed, pushed_to=None)
    why["pusher"] |= {"execution": None, "state": None, "pushed": None}
    pusher = NodeResult("Pusher", NodeState.NOT_TRIGGERED, publishes=publishes)
    found = outcome(nodes=[pusher], pushed_to=None, why=why)
    refused = publishes and not blessed  # of a blessed model the condition was another one
    assert found.status == ("refused" if refused else "completed")
    assert EXIT_CODES[found.status] == (3 if refused else 0)


@pytest.mark.parametrize("state", ["FAILED", "SKIPPED", "RUNNING", "WAITING"])
def test_a_node_that_did_not_end_well_is_a_failed_run_even_if_something_was_pushed(state):
    assert outcome(nodes=[NodeResult("Pusher", NodeState[state])]).status == "failed"


# JSON.


def test_the_json_answer():
    assert outcome().as_json() == {
        "run_id": "run-1",
        "status": "pushed",
        "nodes": [
            {"name": "ExampleGen", "state": "cached", "seconds": 0.041},
            {"name": "Pusher", "state": "executed", "seconds": 2.0},
        ],
        "data": None,
        "anomalies": [],
        "drift": None,
        "tuning": None,
        "warm_start": None,
        "metrics": {
            "auc": 0.9551,
            "pr_auc": 0.84,
            "accuracy": 0.9,
            "calibration": None,
            "example_count": 5001.0,
            "label_mean": 0.25,
        },
        "slices": {"hour=7": {"auc": 0.5, "calibration": None}},
        "blessed": True,
        "infra_blessed": True,
        "reasons": [],
        "why": told(),
        "baseline": None,
        "pushed_to": "/runs/[ws]/serving/taxi/1",
        "workspace": "/runs/[ws]",
        "metadata": "/runs/[ws]/metadata.db",
        "log": "/runs/[ws]/logs/run-1.log",
        "report": "/runs/[ws]/reports/run-1.html",
        "previous": None,
        "changes": {},
        "error": None,
        "failed_at": None,
        "wall_seconds": 61.235,
    }


@pytest.mark.parametrize("changes", [{}, REFUSED, FAILURE])
def test_the_keys_are_the_same_whatever_came_of_the_run(changes):
    promised = [
        "run_id", "status", "nodes", "metrics", "blessed", "infra_blessed", "pushed_to",
        "workspace", "metadata", "wall_seconds",
    ]  # fmt: skip
    answer = outcome(**changes).as_json()
    assert set(promised) <= set(answer)
    assert list(answer) == list(outcome().as_json())


def test_the_json_answer_of_a_failed_run():
    answer = outcome(**FAILURE).as_json()
    assert answer["error"] == "Trainer: RuntimeError: out of [memory]"
    assert answer["metrics"] == {}
    assert answer["pushed_to"] is None
    assert [node["state"] for node in answer["nodes"]] == ["executed", "failed", "skipped"]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"page": None},
        {"warm_start": WarmStart(7, ("dense/kernel",), {"company": "2 new words"})},
        {"tuning": {"policy": "always"}},
    ],
)
def test_the_json_answer_is_of_its_type(changed):
    require_as_declared("run", json.dumps(outcome(**{"why": None, **changed}).as_json()))
    require_as_declared("step end", json.dumps(outcome(**{**FAILURE, "why": None}).as_json()))


def test_a_run_without_a_page_says_none():
    assert outcome(page=None).as_json()["report"] is None


def test_json_has_no_nan():
    def refuse(constant):
        raise AssertionError(constant)

    json.loads(json.dumps(outcome().as_json()), parse_constant=refuse)


# From the store.


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads the outcome of `run-1`, with the Evaluator's result as given."""
    writer = StoreWriter(tmp_path / "metadata.db")

    def read_run():
        monkeypatch.setattr(summary, "read_metrics", lambda uri: [SliceMetrics(uri, {})])
        nodes = [NodeResult("Pusher", NodeState.EXECUTED)]
        store = open_store(tmp_path / "metadata.db")
        return read_outcome("run-1", nodes, store, WORKSPACE, Path("/log"), 1.5)

    return writer, read_run


def add(writer, evaluator=None, infra=None, pushed=None):
    if evaluator:
        evaluation = {"evaluation": [artifact("/eval")], "blessing": [artifact("/b", **evaluator)]}
        writer.add_execution("taxi", "run-1", "Evaluator", outputs=evaluation)
    if infra:
        blessing = {"blessing": [artifact("/infra", **infra)]}
        writer.add_execution("taxi", "run-1", "InfraValidator", outputs=blessing)
    if pushed:
        model = {"pushed_model": [artifact("/pushed", **pushed)]}
        writer.add_execution("taxi", "run-1", "Pusher", outputs=model)


def test_a_pushed_run_is_read_from_the_store(read):
    writer, read_run = read
    add(
        writer,
        evaluator={"blessed": 1, "baseline_model_id": 7},
        infra={"blessed": 1, "message": "answered"},
        pushed={"pushed": 1, "pushed_destination": "/serving/taxi/1"},
    )
    found = read_run()
    assert (found.status, found.blessed, found.infra_blessed) == ("pushed", True, True)
    assert (found.baseline, found.pushed_to) == ("Model:7", "/serving/taxi/1")
    assert (found.reasons, found.slices) == ([], [SliceMetrics("/eval", {})])
    assert (found.run_id, found.wall_seconds, found.log_path) == ("run-1", 1.5, Path("/log"))


def test_a_refused_run_says_every_reason(read):
    writer, read_run = read
    add(
        writer,
        evaluator={"blessed": 0, "verdict": json.dumps({"checks": [MISSED]})},
        infra={"blessed": 0, "message": "answers are not finite"},
        pushed={"pushed": 0, "pushed_destination": "/serving/taxi/1"},
    )
    found = read_run()
    assert (found.status, found.blessed, found.infra_blessed) == ("refused", False, False)
    assert found.reasons == [
        "auc is 0.9000 on overall; expected at least 0.94 (5,001 examples)",
        "infra validation: answers are not finite",
    ]
    assert (found.baseline, found.pushed_to) == (None, None)


def test_a_run_that_failed_early_has_nothing_to_show(read):
    writer, read_run = read
    writer.add_execution("taxi", "run-1", "ExampleGen", FAILED)
    # What another run put out is not this run's.
    writer.add_execution(
        "taxi",
        "run-0",
        "Pusher",
        outputs={"pushed_model": [artifact("/p", pushed=1, pushed_destination="/serving/1")]},
    )
    found = read_run()
    assert (found.slices, found.reasons, found.pushed_to) == ([], [], None)
    assert (found.blessed, found.infra_blessed, found.metrics) == (False, False, {})


# In words.


def printed(changes):
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_summary(console, outcome(**changes), load_settings())
    return console.file.getvalue()


def test_summary_of_a_pushed_run():
    text = printed({"baseline": "Model:7", "why": told(baseline="Model:7")})
    # A title is wrapped to the width of its table.
    assert " ".join(text.split()) == " ".join(
        [
            "Metrics on the eval split",
            "metric value threshold",
            "auc 0.9551 at least 0.94, at most below baseline 0.005",
            "pr_auc 0.8400",
            "accuracy 0.9000",
            "calibration nan",
            "example_count 5001",
            "label_mean 0.2500",
            "Blessed by Evaluator: yes (compared with Model:7)",
            "Blessed by InfraValidator: yes",
            "Pushed to /runs/[ws]/serving/taxi/1",
            "Report: /runs/[ws]/reports/run-1.html",
            "Log: /runs/[ws]/logs/run-1.log",
            "run-1 took 61 s.",
            "Next: fareline lineage runs --workspace '/runs/[ws]'",
        ]
    )


def test_summary_says_first_what_was_read():
    data = {"rows": 7, "splits": {"train": 7}, "quarantined": {}, "quarantine": None}
    lines = printed({"data": data, "why": told()}).splitlines()
    assert lines[0] == "Data: 7 rows (train 7); every row could be read"


def test_summary_of_a_refused_first_run():
    why = told(False, None, None, [MISSED])
    text = " ".join(printed(REFUSED | {"baseline": None, "why": why}).split())
    assert text.endswith(
        "Blessed by Evaluator: no (no blessed model to compare with yet: only thresholds apply) "
        "✗ auc is 0.9000 on overall; expected at least 0.94 (5,001 examples) "
        "Blessed by InfraValidator: yes "
        "Refused: no model was pushed. "
        "· Evaluator did not bless the model "
        "Report: /runs/[ws]/reports/run-1.html "
        "Log: /runs/[ws]/logs/run-1.log "
        "run-1 took 61 s. "
        "Next: look at the slices above, change the settings or the model, run again."
    )


def test_summary_of_a_failed_run_names_node_cause_and_log():
    assert printed(FAILURE).splitlines() == [
        "✗ Trainer failed: RuntimeError: out of [memory]",
        "No model was pushed: the run failed.",
        "Report: /runs/[ws]/reports/run-1.html",
        "Log: /runs/[ws]/logs/run-1.log",
        "run-1 took 61 s.",
        "Next: fix the cause and run again; finished nodes come from the cache; "
        "`fareline logs run-1 Trainer --workspace '/runs/[ws]'` has its log.",
    ]


def test_no_text_of_an_error_is_obeyed_by_a_terminal_or_without_end():
    error = ValueError("\x1b[31mred\x07\u202e\udcff [bold] " + "x" * 100_000)
    nodes = [NodeResult("Trainer", NodeState.FAILED, 2.0, error)]
    told = printed(FAILURE | {"nodes": nodes}).splitlines()[0]
    said = r"✗ Trainer failed: ValueError: \x1b[31mred\x07\u202e\udcff [bold] x"
    assert told.startswith(said) and told.endswith("x… (100,031 characters)")
    assert len(told) < 2_200


# A failure in one line.

WORKERS_TRACEBACK = """\
Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1499, in process
  File "mine.py", line 5, in boom
    return rows["first"]
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "apache_beam/runners/worker/sdk_worker.py", line 310, in _execute
    response = task()
ValueError: bad row
  found: 3 fields [while running 'Parse']
Hint: none
"""


def test_an_error_is_named_with_its_first_line():
    assert describe_error(ValueError("bad row\nmore")) == "ValueError: bad row"
    assert describe_error(ValueError("\n\n  bad row\nmore")) == "ValueError: bad row"


@pytest.mark.parametrize(
    "lines",
    [
        ["Detected at node A defined at (most recent call last):", "<stack traces unavailable>"],
        [
            "Detected at node 'A' defined at (most recent call last):",
            '  File "a.py", line 1, in b',
            "    run()",
            "Node: 'A'",
        ],
        [],
    ],
)
def test_a_graph_execution_error_is_told_by_its_cause(lines):
    cause = "Cast string to float is not supported"
    text = "\n".join(["Graph execution error:", "", *lines, cause])
    expected = f"ValueError: {cause}"
    assert (
        describe_error(ValueError(f"{text}\n\t [[{{{{node A}}}}]] [Op:__inference_1]")) == expected
    )
    assert describe_error(ValueError(text)) == expected
    assert describe_error(raised(ValueError(text), TypeError("another signature"))) == expected
    assert (
        describe_error(ValueError("Graph execution error:")) == "ValueError: Graph execution error:"
    )


@pytest.mark.parametrize("error", [ValueError(), ValueError(" \n")])
def test_an_error_without_words_is_named(error):
    assert describe_error(error) == "ValueError"


class _Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


class _NoText(Exception):
    def __str__(self):
        return None


@pytest.mark.parametrize("kind", [_Unprintable, _NoText])
def test_an_error_whose_own_text_fails_is_named(kind):
    told = f"{kind.__name__}: <unprintable {kind.__name__} object>"
    assert describe_error(kind()) == told
    assert describe_error(raised(OSError("later"), kind())) == told
    assert disk_error(raised(kind(), kind())) is None
    full = disk_error(raised(kind(), OSError(errno.ENOSPC, "No space")), ["/"])
    assert "is full" in str(full)


def test_errors_that_were_raised_from_each_other_have_an_end():
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    assert describe_error(first) == "KeyError: 'second'"
    assert place_of(first) is None
    alone = ValueError("alone")
    alone.__cause__ = alone
    assert describe_error(alone) == "ValueError: alone"


def test_of_nested_errors_the_first_cause_is_named():
    inner = raised(RuntimeError("second"), KeyError("first"))
    assert describe_error(raised(OSError("third"), inner)) == "KeyError: 'first'"


def test_an_error_that_came_up_while_another_was_handled():
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise OSError("second")  # noqa: B904 - the context is what is tested
    except OSError as error:
        assert describe_error(error) == "KeyError: 'first'"


@pytest.mark.parametrize("signal", [LeftToTfmaError("no curves"), LeftToTfmaError("")])
def test_what_had_our_code_take_another_way_is_no_cause(signal):
    try:
        try:
            raise signal
        except LeftToTfmaError:
            raise ValueError("the failure")  # noqa: B904 - the context is what is tested
    except ValueError as error:
        assert describe_error(error) == "ValueError: the failure"
        assert "test_summary.py" in place_of(error)
        assert describe_error(raised(OSError("later"), error)) == "ValueError: the failure"


def test_a_context_that_was_put_aside_is_no_cause():
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise OSError("second") from None
    except OSError as error:
        assert describe_error(error) == "OSError: second"


def test_our_own_errors_are_given_whole_even_below_others():
    ours = raised(DataError("trips.csv: empty; expected rows.\n  second line"), KeyError("inner"))
    assert describe_error(ours) == "trips.csv: empty; expected rows.\n  second line"
    assert describe_error(raised(RuntimeError("wrapped"), ours)) == str(ours)
    of_a_worker = type(ours)(f"{ours} [while running 'ExampleGen/Plan']")
    assert describe_error(of_a_worker) == str(ours)


def test_the_cause_is_found_in_the_traceback_that_a_beam_worker_sends():
    error = RuntimeError(WORKERS_TRACEBACK)
    assert describe_error(error) == "ValueError: bad row"
    assert describe_error(raised(OSError("run failed"), error)) == "ValueError: bad row"


def test_a_traceback_without_an_end_leaves_the_name():
    assert describe_error(RuntimeError("Traceback (most recent call last):\n")) == "RuntimeError"


ANOMALY = {
    "column": "company",
    "kind": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "found": "Examples contain values missing from the schema: Acme (<1%).",
    "splits": ["eval"],
    "action": "warn",
    "by": "gate.rules.0",
    "reason": "new ones come every month",
    "expected": "BYTES, one of Flash Cab",
    "rows": 1062,
    "example": "Acme",
}


def test_anomalies_are_a_table_with_those_that_stop_the_run_first():
    stopping = ANOMALY | {
        "column": "fare", "found": "Column is completely missing", "action": "stop",
        "reason": "", "expected": "required", "rows": None, "example": None,
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=200, color_system=None)
    print_summary(console, outcome(anomalies=[ANOMALY, stopping]), None)
    lines = console.file.getvalue().splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == "Anomalies")
    assert [line.split("  ")[0].strip() for line in lines[start + 1 : start + 4]] == [
        "column",
        "fare",
        "company",
    ]
    for words in (
        "Examples contain values missing from the schema: Acme (<1%).",
        "1,062",
        "warn: new",
    ):
        assert words in lines[start + 3]
    assert lines[start + 2].split() == [
        *("fare", "Column", "is", "completely", "missing", "required", "stop")
    ]
    assert outcome(anomalies=[ANOMALY]).as_json()["anomalies"] == [ANOMALY]
    assert "Anomalies" not in printed({})


def test_drift_is_a_line_and_a_table_of_what_is_more_than_recorded():
    def found(column, policy, against="previous"):
        said = "share of zeros 0.1 % -> 20.3 %"
        return {"against": against, "column": column, "policy": policy, "said": said}

    drift = {
        "reference": "/runs/examples/1", "reference_span": 2,
        "drifted": [found("tips", "record"), found("miles", "warn"), found("fare", "stop"),
                    found("hour", "warn", "serving")],
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=200, color_system=None)
    print_summary(console, outcome(drift=drift), None)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    start = lines.index("Drift: 2 columns against span 2 (/runs/examples/1); 1 more only recorded")
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == [
        *("column", "fare", "miles", "hour")
    ]
    assert " ".join(lines[start + 2].split()) == (
        "fare previous data share of zeros 0.1 % -> 20.3 % stop"
    )
    assert "training data (requests)" in lines[start + 4]
    assert outcome(drift=drift).as_json()["drift"] == drift
    nothing = {"reference": None, "reference_span": None, "drifted": []}
    assert "Drift: no earlier data to compare with\n" in printed({"drift": nothing})
    same = {"reference": "/runs/examples/1", "reference_span": None, "drifted": []}
    assert "Drift: none against the previous data (/runs/examples/1)\n" in printed({"drift": same})


def best(**properties):
    """HyperParameters with what Tuner records."""
    return Artifact(9, "HyperParameters", artifact("/h", **properties))


SEARCHED = {
    "tuning_policy": "on_drift",
    "tuning_decision": "searched",
    "tuning_reasons": "fare: share up to 7.25 50.1 % -> 46.3 %\ncompany: 4 new values",
}
REUSED = {**SEARCHED, "tuning_decision": "reused", "tuning_reasons": "no drift", "reused_from": 5}
GIVEN = {
    "tuning_policy": "never",
    "tuning_decision": "given",
    "tuning_reasons": "tuning.policy is never",
}


@pytest.mark.parametrize(
    ("recorded", "line"),
    [
        (
            SEARCHED,
            "Tuner searched: fare: share up to 7.25 50.1 % -> 46.3 %; company: 4 new values",
        ),
        (REUSED, "Tuner reused HyperParameters:5: no drift"),
        (GIVEN, "Tuner took the hyperparameters of the settings: tuning.policy is never"),
    ],
)
def test_whether_tuner_searched_and_why(recorded, line):
    tuning = tuning_of(best(**recorded))
    assert line in printed({"tuning": tuning}).splitlines()
    nodes = [NodeResult("Tuner", NodeState.CACHED, 0.1), NodeResult("Trainer", NodeState.EXECUTED)]
    cached = line.replace("Tuner", "Tuner (from the cache)", 1)
    assert cached in printed({"tuning": tuning, "nodes": nodes}).splitlines()


def test_the_json_answer_says_whether_tuner_searched():
    assert outcome(tuning=tuning_of(best(**SEARCHED))).as_json()["tuning"] == {
        "policy": "on_drift",
        "decision": "searched",
        "reasons": ["fare: share up to 7.25 50.1 % -> 46.3 %", "company: 4 new values"],
        "reused_from": None,
    }
    assert tuning_of(best(**REUSED))["reused_from"] == "HyperParameters:5"
    assert tuning_of(best()) is None


def test_of_a_tuner_that_always_searches_nothing_is_said():
    always = {"tuning_policy": "always", "tuning_decision": "searched", "tuning_reasons": ""}
    tuning = tuning_of(best(**always))
    assert tuning["reasons"] == []
    assert "Tuner" not in printed({"tuning": tuning})


def test_a_good_model_of_a_sample_completes_the_run_and_a_refused_one_is_refused():
    why = told(pushed_to=None)
    why["pusher"] |= {"sample": 2000}
    held_back = outcome(pushed_to=None, why=why)
    assert (held_back.status, EXIT_CODES[held_back.status]) == ("completed", 0)
    said = "Completed: the model is of a sample of 2,000 rows and is not pushed."
    assert held_back.completed_line == said
    why["pusher"] |= {"sample": None}
    assert outcome(pushed_to=None, why=why).status == "refused"


def test_the_line_about_data_names_a_sample():
    read = {"rows": 15_002, "splits": {"train": 90}, "quarantined": {}, "quarantine": None}
    data = read | {"sample": 90}
    assert data_line(data).startswith("Data: a sample of 90 of 15,002 rows (train 90); ")
