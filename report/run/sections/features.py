"""The section about features: what Transform made of each column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineage.facts.payload_contents import Unreadable, folder_of
from preprocessing.features import Categories, Features, Numeric, parse_features
from report.run import document
from report.run.sources import Sources

_KINDS = {"bucket": "bucketized", "vocab": "vocabulary", "category": "categorical"}
_HEAD = 10
_LONGEST = 200
_ASSETS = Path("transform_fn", "assets")


def gather_features(sources: Sources) -> document.Features:
    """Reads the transform graph, column by column of the settings.

    Raises:
        Unreadable: The run transformed no data, or the settings are not recorded.
    """
    graph = sources.last("TransformGraph")
    if graph is None:
        raise Unreadable(sources.why_absent("transformed features", "TransformGraph"))
    if not sources.section("features"):
        raise Unreadable(f"{graph.key}: which column is what is not recorded with the run")
    features = parse_features(sources.section("features"))
    folder, notes = folder_of(graph), []
    moments, boundaries = _numbers(folder, features, notes)
    found = [
        document.Feature(
            column=feature.column,
            kind="numeric",
            settings={"log": feature.log},
            mean=moments.get(feature.column, (None, None))[0],
            deviation=moments.get(feature.column, (None, None))[1],
        )
        for feature in features.numeric
    ]
    for feature in features.categories:
        entries = _vocabulary(folder, feature)
        found.append(
            document.Feature(
                column=feature.column,
                kind=_KINDS[feature.kind],
                settings={"size": feature.size, "oov_buckets": feature.oov_buckets},
                boundaries=boundaries.get(feature.column, []) if feature.kind == "bucket" else [],
                vocabulary=len(entries) if entries is not None else None,
                head=[entry[:_LONGEST] for entry in (entries or [])[:_HEAD]]
                if feature.column not in sources.private_columns
                else [],
            )
        )
    return document.Features(found, notes)


def _numbers(
    folder: Path, features: Features, notes: list[str]
) -> tuple[dict[str, tuple[float, float]], dict[str, list[float]]]:
    """Column to mean and deviation, and column to boundaries."""
    buckets = [f for f in features.categories if f.kind == "bucket"]
    if not features.numeric and not buckets:
        return {}, {}
    from report.run.sections.transform_graph import read_analysis

    try:
        analysis = read_analysis(folder / "transform_fn" / "saved_model.pb")
    except (OSError, ValueError) as reason:
        notes.append(f"Means and boundaries cannot be read: {reason}.")
        return {}, {}
    return _moments(analysis, features.numeric), _boundaries(analysis, buckets)


def _moments(analysis: Any, features: Sequence[Numeric]) -> dict[str, tuple[float, float]]:
    """In the order in which preprocessing.transform stacks the columns: logarithms last."""
    ordered = sorted(features, key=lambda f: f.log)
    if not len(ordered) == len(analysis.means) == len(analysis.deviations):
        return {}
    pairs = zip(analysis.means, analysis.deviations, strict=True)
    return {f.column: pair for f, pair in zip(ordered, pairs, strict=True)}


def _boundaries(analysis: Any, features: Sequence[Categories]) -> dict[str, list[float]]:
    if len(features) != len(analysis.boundaries):
        return {}
    return {
        feature.column: row[: feature.size - 1]
        for feature, row in zip(features, analysis.boundaries, strict=True)
    }


def _vocabulary(folder: Path, feature: Categories) -> list[str] | None:
    if feature.kind != "vocab":
        return None
    try:
        text = (folder / _ASSETS / feature.file_name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.split("\n")[: -1 if text.endswith("\n") else None]
