"""Nodes that bring the data of the data pipeline into the training pipeline.

Used by `pipeline.dag`. Imports TFX.
"""

from collections.abc import Mapping

from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import Channel, artifact_utils
from tfx.types.standard_artifacts import Examples, Schema

from pipeline.artifacts import DataDrift
from pipeline.resolvers.prepared_data import PreparedDataStrategy
from pipeline.settings.settings import Settings

_TYPES = {"examples": Examples, "schema": Schema, "drift": DataDrift}
PREPARED_KEYS = tuple(_TYPES)


def find_prepared(ids: Mapping[str, int]) -> Resolver:
    """The node that finds artifacts of the data pipeline in the store.

    Args:
        ids: Output key to the id of the artifact; empty where the graph is not run.
    """
    return Resolver(
        strategy_class=PreparedDataStrategy,
        config={"ids": dict(ids)},
        **{key: Channel(type=kind) for key, kind in _TYPES.items()},
    ).with_id("DataResolver")


def import_examples(settings: Settings) -> Importer:
    """The node that registers Examples by their URI, on a platform that cannot be asked for them.

    Args:
        settings: With a URI as `data.prepared`.
    """
    splits = sorted(name for name, _ in settings.data.splits.shares())
    return Importer(
        source_uri=settings.data.prepared.rstrip("/"),
        artifact_type=Examples,
        properties={"split_names": artifact_utils.encode_split_names(splits)},
    ).with_id("PreparedData")
