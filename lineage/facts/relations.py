"""Relation of a model to an artifact, carried from step to step by plain rules.

Each artifact has the relation that a model made from it would have: rows give `trained`, and a
transform graph that was computed from rows gives `transform`. A chain is as strong as its weakest
link, so hyperparameters found on rows that such a graph only encoded give `tuned`. Pure functions;
called by lineage.answers.impact.impact.
"""

from collections.abc import Collection, Iterable, Mapping

from lineage.graph.trace import BASELINE_KEY

ITSELF = "itself"  # the artifact that was asked about is this model
TRAINED = "trained"  # Trainer read it, or a transform of its rows
WARM_START = "warm start"  # began with the weights of a model that is related more strongly
TRANSFORM = "transform"  # through a transform graph or vocabulary computed from it
TUNED = "tuned"  # through hyperparameters
STATISTICS = "statistics"  # through statistics of it, read by something else than SchemaGen
SCHEMA = "schema"  # through the schema
EVALUATED = "evaluated"  # judged on it, made without it
BASELINE = "baseline"  # its blessing was decided against a model that is related

# Strongest first.
RELATIONS = (
    ITSELF,
    TRAINED,
    WARM_START,
    TRANSFORM,
    TUNED,
    STATISTICS,
    SCHEMA,
    EVALUATED,
    BASELINE,
)
# Those that are in the model's content; the rest are in the judgement of it.
LEARNED = frozenset(RELATIONS) - {EVALUATED, BASELINE}

BASE_MODEL_KEY = "base_model"
_STRENGTH: Mapping[str, int] = {name: index for index, name in enumerate(RELATIONS)}
_MADE_AS: Mapping[str, str] = {
    "Examples": TRAINED,
    "ExampleStatistics": STATISTICS,
    "Schema": SCHEMA,
    "TransformGraph": TRANSFORM,
    "TransformCache": TRANSFORM,
    "HyperParameters": TUNED,
    "TunerResults": TUNED,
    "Model": TRAINED,
    "ModelRun": TRAINED,
}
_JUDGEMENTS = frozenset({"ModelEvaluation", "ModelBlessing", "InfraBlessing"})
# Nothing that is made of these has learned from the data.
_ENDS = _JUDGEMENTS | {
    "ExampleAnomalies",
    "PushedModel",
    "pipeline.DataDecision",
    "pipeline.DataDrift",
}


def starts_as(artifact_type: str) -> str | None:
    """Relation that an artifact starts: `trained` for Examples, None for a blessing."""
    if artifact_type == "Model":
        return ITSELF
    return None if artifact_type in _ENDS else _MADE_AS.get(artifact_type, TRAINED)


def carry(carried: str, input_keys: Collection[str], output_type: str) -> str | None:
    """Returns the relation that an output takes over from an input of the same execution.

    Args:
        carried: Relation of the input, one of `RELATIONS`.
        input_keys: Names under which the execution read it.
        output_type: Type of the output.

    Returns:
        One of `RELATIONS`; None if nothing is carried on.
    """
    if carried not in LEARNED or output_type in _ENDS or set(input_keys) == {BASELINE_KEY}:
        return None
    # What an unknown component makes of rows counts as rows: rather one model too many.
    made_as = _MADE_AS.get(output_type, carried)
    if output_type in ("Model", "ModelRun") and BASE_MODEL_KEY in input_keys:
        made_as = WARM_START
    return weaker(carried, made_as)


def judges(output_types: Iterable[str]) -> bool:
    """Returns whether an execution with these outputs has evaluated a model."""
    return not _JUDGEMENTS.isdisjoint(output_types)


def weaker(one: str, other: str) -> str:
    """The weaker of two relations."""
    return max(one, other, key=_STRENGTH.__getitem__)


def strongest_first(relations: Iterable[str]) -> list[str]:
    """Sorts relations by strength."""
    return sorted(set(relations), key=_STRENGTH.__getitem__)


def baseline_distances(
    affected: Iterable[int], compared_with: Mapping[int, Iterable[int]]
) -> dict[int, int]:
    """Finds the models whose blessing was decided against an affected one, or against such a one.

    Args:
        affected: Ids of the affected models; they get no distance.
        compared_with: Id of a baseline to the ids of the models that were compared with it.

    Returns:
        Id to distance: 1 if the baseline itself is affected. Nearest first.
    """
    seen = set(affected)
    front = sorted(seen)
    distances: dict[int, int] = {}
    distance = 0
    while front:
        distance += 1
        reached = dict.fromkeys(m for baseline in front for m in compared_with.get(baseline, ()))
        front = [model for model in reached if model not in seen]
        seen.update(front)
        distances.update(dict.fromkeys(front, distance))
    return distances
