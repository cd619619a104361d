"""VertexPusher: puts what Pusher has published into Vertex AI's Model Registry and on an endpoint.

What it uploads is the copy that Pusher's artifact keeps: the files that InfraValidator has seen. A
model that Pusher held back is held back here. Google's clients are behind a function that is named
by its dotted path. No `from __future__ import annotations`: TFX reads the raw annotations.
"""

import dataclasses
import importlib
import json
import types
from pathlib import Path
from typing import Any

from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Examples, Model, ModelEvaluation, PushedModel
from tfx.utils import io_utils

from fareline.digests import sha256_of_folder
from fareline.recorded import (
    DATA_SHA256,
    METRIC_PREFIX,
    NOT_SHOWN,
    NOT_UNDONE,
    SHA256,
    VERSION_CREATED,
    VERTEX,
)
from fareline.recorded.evaluation import Metrics, read_metrics
from fareline.recorded.tuning import hyperparameters_of
from fareline.recorded.vertex import on_vertex_text, vertex_base
from fareline.scratch import scratch_folder

_NOT_PUSHED = "not_pushed_because"
_DIGEST_DIGITS = 40


@component
def VertexPusher(  # noqa: N802 - TFX names the component after the function
    model: InputArtifact[Model],
    examples: InputArtifact[Examples],
    evaluation: InputArtifact[ModelEvaluation],
    published: InputArtifact[PushedModel],
    pushed_model: OutputArtifact[PushedModel],
    target: Parameter[str],
    push_fn: Parameter[str],
) -> None:
    """Pushes a model to Vertex AI if Pusher has published it.

    Args:
        model: Trained model; its name contains the run.
        examples: Training examples; their digest becomes a label.
        evaluation: Its metrics become a line of the version and labels.
        published: Output of Pusher, with a copy of the files.
        pushed_model: Written: `pushed`, `pushed_destination` (`vertex://PROJECT/REGION/MODEL/N`),
            `pushed_version`, `sha256`, `version_created`, `on_vertex` and maybe
            `not_shown_because` and `not_undone_because`; or why it was not pushed.
        target: JSON of the setting `push.vertex`, with the ids of model and endpoint.
        push_fn: Dotted path of `runners.platforms.vertex.push.push_model`.
    """
    fileio.makedirs(pushed_model.uri)
    if not published.get_int_custom_property("pushed"):
        pushed_model.set_int_custom_property("pushed", 0)
        because = published.get_string_custom_property(_NOT_PUSHED) or "Pusher did not push it"
        pushed_model.set_string_custom_property(_NOT_PUSHED, because)
        logging.info("Not pushed to Vertex AI: %s.", because)
        return
    io_utils.copy_dir(published.uri, pushed_model.uri)
    sha256 = _digest(pushed_model.uri)
    metrics = _metrics(evaluation)
    module, _, name = push_fn.rpartition(".")
    pushed = getattr(importlib.import_module(module), name)(
        json.loads(target),
        pushed_model.uri,
        sha256,
        _labels(model, examples, metrics),
        ", ".join(f"{key} {value:.4f}" for key, value in metrics.items()),
        _story(model, examples, evaluation),
    )
    number = str(pushed.record.version)
    base = vertex_base(pushed.record.target)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_destination", f"{base}/{number}")
    pushed_model.set_string_custom_property("pushed_version", number)
    pushed_model.set_string_custom_property(SHA256, sha256)
    pushed_model.set_int_custom_property(VERSION_CREATED, int(pushed.created))
    pushed_model.set_string_custom_property(VERTEX, on_vertex_text(pushed.record))
    if pushed.not_shown:
        pushed_model.set_string_custom_property(NOT_SHOWN, pushed.not_shown)
        logging.warning("Vertex does not show all of its evaluation: %s", pushed.not_shown)
    if pushed.not_undone:
        pushed_model.set_string_custom_property(NOT_UNDONE, pushed.not_undone)
        logging.warning("An earlier push has left something: %s", pushed.not_undone)
    logging.info("Version %s of %s; requests: %s.", number, base, dict(pushed.record.traffic))


def _digest(uri: str) -> str:
    if "://" not in uri:
        return sha256_of_folder(uri)
    with scratch_folder("fareline-vertex-") as folder:
        copy = str(Path(folder) / "model")
        io_utils.copy_dir(uri, copy)
        return sha256_of_folder(copy)


def _metrics(evaluation: ModelEvaluation) -> dict[str, float]:
    """The overall metrics, as Evaluator records each in a property of its own."""
    properties = evaluation.mlmd_artifact.custom_properties
    found = {
        name.removeprefix(METRIC_PREFIX): value.double_value or float(value.int_value)
        for name, value in properties.items()
        if name.startswith(METRIC_PREFIX)
    }
    return dict(sorted(found.items()))


def _labels(model: Model, examples: Examples, metrics: dict[str, float]) -> dict[str, str]:
    labels = {f"metric_{name}": f"{value:.4f}" for name, value in metrics.items()}
    if run := _run(model):
        labels["run"] = run
    if digest := examples.get_string_custom_property(DATA_SHA256):
        labels["data_sha256"] = digest[:_DIGEST_DIGITS]
    return labels


def _story(model: Model, examples: Examples, evaluation: ModelEvaluation) -> dict[str, Any]:
    """What Vertex shows beside a version; plain values."""
    return {
        "run": _run(model),
        "data_uri": examples.uri,
        "data_sha256": examples.get_string_custom_property(DATA_SHA256) or "",
        "hyperparameters": hyperparameters_of(_recorded(model)),
        "metrics": dataclasses.asdict(read_metrics(_recorded(evaluation)) or Metrics()),
    }


def _recorded(artifact: Artifact) -> types.SimpleNamespace:
    """The texts that are recorded with an artifact, as `fareline.recorded` reads them."""
    properties = artifact.mlmd_artifact.custom_properties
    texts = {name: value.string_value for name, value in properties.items() if value.string_value}
    return types.SimpleNamespace(properties=texts, key=artifact.type_name)


def _run(model: Model) -> str:
    """The run that trained it; empty if its name does not say so.

    Of a local run TFX makes the name of pipeline, run, node, key and number.
    """
    parts = (model.mlmd_artifact.name or "").split(":")
    return parts[1] if len(parts) == 5 else ""
