"""The section about the evaluation: metrics by slice, all requirements, and curves.

What our Evaluator recorded is read without TFMA. A stock store is read by TFMA's own readers, whose
import takes six seconds.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from fareline.recorded.curves import (
    CURVES_FILE,
    SLICES_FILE,
    BesideMetrics,
    parse_curves,
    parse_slices,
)
from fareline.recorded.evaluation import Metrics, VerdictRecord, finite, read_metrics, verdict_of
from lineage.facts.payload_contents import Unreadable
from lineage.graph.elements import Artifact
from preprocessing.labels import MULTICLASS
from report.run.document import Evaluation, ModelPicture, Slice
from report.run.sections.pictures import picture_of
from report.run.sources import Sources, read_payload

OVERALL = "overall"


def gather_evaluation(sources: Sources) -> Evaluation:
    """Reads the metrics and the requirements.

    Raises:
        Unreadable: The run has no evaluation, or it cannot be read.
    """
    evaluation = sources.last("ModelEvaluation")
    if evaluation is None:
        raise Unreadable(sources.why_absent("an evaluation", "ModelEvaluation"))
    blessing = sources.last("ModelBlessing")
    verdict = (verdict_of(blessing) if blessing else None) or VerdictRecord()
    notes: list[str] = []
    task = str(sources.settings.get("task", ""))
    classes = list(sources.label.names) if sources.label and task == MULTICLASS else []
    if read_metrics(evaluation) is None:
        from report.run.sections.stock_evaluation import read_stock

        overall, slices, candidate, stock_notes = read_stock(evaluation)
        notes, baseline, refusals = stock_notes, None, []
    else:
        overall, slices = _recorded_slices(evaluation)
        candidate, baseline = _pictures(evaluation, classes, notes)
        refusals = [*verdict.refusals, *verdict.tfma_refusals, *verdict.warnings]
    return Evaluation(
        task=task,
        classes=classes,
        main_metric=verdict.main_metric,
        overall=overall,
        slices=slices,
        checks=[finite(dataclasses.asdict(check)) for check in verdict.checks],
        gaps=[finite(dataclasses.asdict(gap)) for gap in verdict.gaps],
        worst=[each.name for each in verdict.worst],
        refusals=refusals,
        candidate=candidate,
        baseline=baseline,
        notes=notes,
    )


def _recorded_slices(evaluation: Artifact) -> tuple[Slice, list[Slice]]:
    """What was recorded, the baseline's values and intervals with it."""
    metrics = read_metrics(evaluation) or Metrics()
    try:
        beside = parse_slices(read_payload(evaluation, SLICES_FILE))
    except (Unreadable, ValueError):
        beside = {}

    def make(name: str, values: Mapping[str, Any]) -> Slice:
        found = beside.get(name, BesideMetrics())
        intervals = {k: tuple(ends) for k, ends in found.intervals.items() if None not in ends}
        return Slice(name, finite(values), finite(found.baseline), intervals)

    slices = [make(name, metrics.slices[name]) for name in sorted(metrics.slices, key=_natural)]
    return make(OVERALL, metrics.overall), slices


def _natural(name: str) -> list[tuple[bool, float, str]]:
    """Orders numbers in names by their size."""
    parts = re.split(r"(\d+)", name)
    return [(p.isdecimal(), float(p) if p.isdecimal() else 0.0, p) for p in parts]


def _pictures(
    evaluation: Artifact, classes: list[str], notes: list[str]
) -> tuple[ModelPicture | None, ModelPicture | None]:
    try:
        curves = parse_curves(read_payload(evaluation, CURVES_FILE))
    except (Unreadable, ValueError):
        notes.append(
            "Curves were not recorded: the model was evaluated by TFMA alone, by an older version, "
            "or its evaluation is not on this machine."
        )
        return None, None
    baseline = picture_of(curves.baseline, classes) if curves.baseline else None
    return picture_of(curves.candidate, classes), baseline
