"""LiveBaseline: brings the model in use into the run, as the baseline to compare with.

For open-source Kubeflow, whose backend executes no resolver: the push destination, not the store,
determines the last approved model. No `from __future__ import annotations`: TFX reads the raw
annotations.
"""

import os
from collections.abc import Mapping

from absl import logging
from tfx import types
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Model
from tfx.utils import io_utils, path_utils

from fareline.recorded import NO_MODEL
from serving.versions.files import SAVED_MODEL_FILE, version_numbers

VERSION, SOURCE = "version", "source"


def find_live_version(push_destination: str) -> int | None:
    """Returns the version that a model server takes, the highest complete one; None without any.

    Args:
        push_destination: The folder above the versions, local or remote.
    """
    if not fileio.isdir(push_destination):
        return None
    # Object stores put a slash behind the names of folders.
    names = [name.rstrip("/") for name in fileio.listdir(push_destination)]
    for number in reversed(version_numbers(names)):
        if fileio.exists(os.path.join(push_destination, str(number), SAVED_MODEL_FILE)):
            return number
    return None


def without_empty_model(
    input_dict: Mapping[str, list[types.Artifact]], key: str
) -> dict[str, list[types.Artifact]]:
    """The inputs without a model that has no files: LiveBaseline's, before anything was pushed.

    Args:
        input_dict: Input dict of a node.
        key: Key of the model.
    """
    model = next(iter(input_dict.get(key) or ()), None)
    is_empty = model is not None and model.get_int_custom_property(NO_MODEL) == 1
    return {k: artifacts for k, artifacts in input_dict.items() if k != key or not is_empty}


@component
def LiveBaseline(  # noqa: N802 - TFX names the component after the function
    model: OutputArtifact[Model],
    push_destination: Parameter[str],
    version: Parameter[str],
) -> None:
    """Copies the live model to the place of a Trainer's output, or marks that there is none.

    The live version comes from Lookup, so that it is part of the cache key; empty without one.
    """
    if not version:
        logging.info("No version under %s: there is no baseline.", push_destination)
        model.set_int_custom_property(NO_MODEL, 1)
        fileio.makedirs(model.uri)
        return
    source = os.path.join(push_destination, version)
    logging.info("The baseline is %s.", source)
    io_utils.copy_dir(source, path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property(VERSION, version)
    model.set_string_custom_property(SOURCE, source)
