"""What came of a run in about ten lines."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.settings.load import load_settings
from runners.outcome.brief import print_brief
from runners.outcome.page import Page
from runners.progress import NodeResult, NodeState
from schema.gate.anomalies import DataAnomalies
from tests.unit.runners.outcome.test_summary import ANOMALY, FAILURE, MISSED, REFUSED, outcome, told

PAGE = Page(
    Path("/runs/[ws]/reports/run-1.html"),
    previous="run-0",
    changes={
        "settings": [("training.steps", 1, 2), ("seed", 1, 2), ("task", 1, 2)],
        "code": [("commit", "a", "b")],
        "metrics": [("auc", 1, 2)],
    },
    baseline={"auc": 0.95, "pr_auc": None, "accuracy": 0.91},
)
WORST = {"name": "hour=7", "metrics": {"auc": 0.5, "example_count": 1234.0}}
END = [
    "Report: /runs/[ws]/reports/run-1.html",
    "Explorer: fareline lineage ui --workspace '/runs/[ws]'",
]
LOG = "Log: /runs/[ws]/logs/run-1.log"


def lines(settings=True, **changes):
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_brief(console, outcome(**changes), load_settings() if settings else None)
    return console.file.getvalue().splitlines()


def test_a_pushed_run_in_ten_lines():
    why = told(baseline="Model:7")
    why["evaluator"]["verdict"]["worst"] = [WORST, WORST]
    data = {"rows": 7, "splits": {"train": 7}, "quarantined": {}, "quarantine": None}
    assert lines(baseline="Model:7", why=why, page=PAGE, data=data) == [
        "Data: 7 rows (train 7); every row could be read",
        "auc       0.9551  (at least 0.94, at most below baseline 0.005; 0.9500 of Model:7)",
        "pr_auc    0.8400",
        "accuracy  0.9000  (0.9100 of Model:7)",
        "Worst slice: auc 0.5000 on hour=7 (1,234 examples)",
        "Pushed to /runs/[ws]/serving/taxi/1 (compared with Model:7)",
        *END,
        "run-1 took 61 s; changed since run-0: settings (training.steps, seed, …), code (commit).",
        "Next: fareline lineage runs --workspace '/runs/[ws]'",
    ]


def test_the_first_run_and_one_of_a_specification():
    found = lines(settings=False)
    assert found[0] == "auc       0.9551"
    assert found[3:] == [
        "Pushed to /runs/[ws]/serving/taxi/1 (the first one)",
        *END,
        "run-1 took 61 s.",
        "Next: fareline lineage runs --workspace '/runs/[ws]'",
    ]


def test_a_blessing_that_rests_on_few_examples_says_so():
    few = MISSED | {"value": 1.0, "judged": 1.0, "passed": True, "examples": 2}
    found = lines(why=told(checks=[few]))
    pushed = found.index("Pushed to /runs/[ws]/serving/taxi/1 (the first one)")
    assert found[pushed + 1].startswith("  · evaluated on only 2 examples; ")
    assert not any("judged on" in line for line in lines(why=told(checks=[few | {"examples": 50}])))
    assert not any("judged on" in line for line in lines(why=told(False, checks=[few])))


def test_what_only_follows_from_a_change_is_no_change():
    page = dataclasses.replace(PAGE, changes={"metrics": PAGE.changes["metrics"]})
    assert "run-1 took 61 s; changed since run-0: nothing." in lines(page=page)


CACHED = [NodeResult(name, NodeState.CACHED, 0.01) for name in ("ExampleGen", "Pusher")]
ONLY_LOOKS = NodeResult("BaselineResolver", NodeState.EXECUTED, 0.01)


@pytest.mark.parametrize("pushed_to", ["/runs/[ws]/serving/taxi/1", None])
@pytest.mark.parametrize("page", [Page(PAGE.path, same_as="run-0"), None])
def test_an_unchanged_run_says_so_in_two_lines(pushed_to, page):
    why = told(bool(pushed_to), pushed_to=pushed_to)
    ended = f"pushed to {pushed_to}" if pushed_to else "refused"
    since, report = (" since run-0", f" Report: {PAGE.path}") if page else ("", "")
    assert lines(page=page, pushed_to=pushed_to, why=why, nodes=[ONLY_LOOKS, *CACHED]) == [
        f"Nothing changed{since}, and nothing was executed: {ended}",
        f"run-1 took 61 s.{report}",
    ]


def test_a_run_that_failed_or_only_looked_is_not_unchanged():
    failed = NodeResult("Trainer", NodeState.FAILED, 1.0)
    assert not outcome(nodes=[*CACHED, failed]).is_unchanged
    assert not outcome(nodes=[ONLY_LOOKS]).is_unchanged
    assert outcome(nodes=[ONLY_LOOKS, *CACHED]).is_unchanged


@pytest.mark.parametrize("count", [1, 5, 6, 9])
def test_a_refused_run_says_why_in_few_lines(count):
    reasons = [f"reason {n}" for n in range(count)]
    found = lines(**REFUSED | {"reasons": reasons, "why": told(False, "Model:7", None, [MISSED])})
    start = found.index("Refused: no model was pushed.")
    more = [f"  and {count - 5} more; --verbose prints all"] if count > 5 else []
    assert found[start + 1 :] == [
        *(f"  ✗ {reason}" for reason in reasons[:5]),
        *more,
        *END,
        LOG,
        "run-1 took 61 s.",
        "Next: look at the slices above, change the settings or the model, run again.",
    ]


def test_a_failed_run_names_node_cause_and_log():
    found = lines(**FAILURE)
    assert found[:2] == [
        "✗ Trainer failed: RuntimeError: out of [memory]",
        "No model was pushed: the run failed.",
    ]
    assert LOG in found
    assert found[-1].startswith("Next: fix the cause and run again;")


@pytest.mark.parametrize("stopped", [True, False])
def test_what_stops_at_the_gate_is_said_once(stopped):
    stopping = ANOMALY | {"column": "fare", "action": "stop"}
    error = DataAnomalies("the data breaks the schema: 1 anomaly\n  fare: is missing")
    nodes = [NodeResult("DataGate", NodeState.FAILED, 1.0, error)] if stopped else []
    text = "\n".join(lines(**FAILURE | {"nodes": nodes, "anomalies": [ANOMALY, stopping]}))
    assert text.count("fare") == 1 + text.count("fareline")
    assert text.count("company") == 1


def test_drift_is_shown_where_something_drifted():
    drift = {"reference": "/runs/examples/1", "reference_span": 2, "drifted": []}
    assert not any("Drift" in line for line in lines(drift=drift))
    said = {"against": "previous", "column": "fare", "policy": "warn", "said": "zeros 1 % -> 20 %"}
    found = lines(drift=drift | {"drifted": [said]})
    assert found[0].startswith("Drift: 1 column against span 2")
