"""The section about search and training: trials, learning curves, what was chosen."""

import re
from typing import Any

from fareline.recorded.tuning import hyperparameters_of, tuning_of
from lineage.facts.payload_contents import Unreadable, folder_of
from report.run.document import Training
from report.run.sources import Sources, read_json

REPORT_FILE, RESULTS_FILE = "training.json", "tuner_results.json"
_NODES = re.compile(r"Tuner|Trainer")


def gather_training(sources: Sources) -> Training:
    """Reads the Trainer's report, the Tuner's results and the hyperparameters.

    Raises:
        Unreadable: No model was trained, and nothing was searched.
    """
    model = sources.last("Model", "model")
    best = sources.last("HyperParameters")
    if model is None and best is None:
        raise Unreadable(sources.why_absent("model", "Model"))
    report, log_dir = _report(sources)
    evaluations = report.get("evaluations")
    return Training(
        decision=tuning_of(best) if best else None,
        trials=_trials(sources),
        chosen=(hyperparameters_of(model) if model else {}) or report.get("hyperparameters", {}),
        curves=evaluations if isinstance(evaluations, dict) else {},
        monitor=report.get("monitor"),
        best=report.get("best"),
        planned=report.get("planned"),
        steps_per_evaluation=report.get("steps_per_evaluation"),
        labels=report.get("labels", {}),
        seconds={
            e.place.node: e.seconds
            for e in sources.executions
            if _NODES.search(e.place.node) and e.state == "executed"
        },
        log_dir=log_dir,
    )


def _report(sources: Sources) -> tuple[dict[str, Any], str | None]:
    run = sources.last("ModelRun")
    if run is None:
        return {}, None
    try:
        folder = folder_of(run)
        log_dir = str(folder) if any(folder.rglob("events.out.tfevents.*")) else None
        report = read_json(run, REPORT_FILE)
    except Unreadable:
        return {}, None
    return report if isinstance(report, dict) else {}, log_dir


def _trials(sources: Sources) -> list[dict[str, Any]]:
    results = sources.last("TunerResults")
    if results is None:
        return []
    try:
        trials = read_json(results, RESULTS_FILE)
    except Unreadable:
        return []
    return [t for t in trials if isinstance(t, dict)] if isinstance(trials, list) else []
