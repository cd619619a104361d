"""The section about search and training: trials, learning curves, what was chosen."""

import math
import re
from typing import Any, TypeVar

from fareline.recorded.tuning import hyperparameters_of, tuning_of
from lineage.facts.payload_contents import Unreadable, folder_of
from report.run.document import Training
from report.run.sources import Sources, read_json

REPORT_FILE, RESULTS_FILE = "training.json", "tuner_results.json"
Kind = TypeVar("Kind")
_NODES = re.compile(r"Tuner|Trainer")


def gather_training(sources: Sources) -> Training:
    """Reads the Trainer's report, the Tuner's results and the hyperparameters.

    Raises:
        Unreadable: No model was trained, and nothing was searched.
    """
    model = sources.last("Model", "model")
    best = sources.last("HyperParameters")
    if model is None and best is None:
        raise Unreadable(sources.why_absent("a model", "Model"))
    report, log_dir = _report(sources)
    return Training(
        decision=tuning_of(best) if best else None,
        trials=_trials(sources),
        chosen=(hyperparameters_of(model) if model else {})
        or _of_kind(report.get("hyperparameters"), dict)
        or {},
        curves=_curves(report.get("evaluations")),
        monitor=_of_kind(report.get("monitor"), str),
        best=_of_kind(report.get("best"), int),
        planned=_of_kind(report.get("planned"), int),
        steps_per_evaluation=_of_kind(report.get("steps_per_evaluation"), int),
        labels={
            split: {name: seen.get(name) for name in ("rows", "without_label")}
            for split, seen in (_of_kind(report.get("labels"), dict) or {}).items()
            if isinstance(seen, dict)
        },
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
    if not isinstance(trials, list):
        return []
    # TFX's own Tuner writes what KerasTuner's oracle has: an id, a score, the values.
    return [
        {**trial, "trial_id": str(trial["trial_id"])}
        for trial in trials
        if isinstance(trial, dict) and "trial_id" in trial and _is_number(trial.get("score"))
    ]


def _curves(evaluations: Any) -> dict[str, list[float | None]]:
    """The metrics that have a number at each evaluation, or none that is finite."""
    return {
        name: [v if math.isfinite(v) else None for v in values]
        for name, values in (_of_kind(evaluations, dict) or {}).items()
        if isinstance(values, list) and all(map(_is_number, values))
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_kind(value: Any, kind: type[Kind]) -> Kind | None:
    """The value, unless it is of another kind: the file may be of any version."""
    return value if isinstance(value, kind) else None
