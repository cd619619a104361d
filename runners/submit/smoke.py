"""`python -m runners.submit.smoke`: checks that an image has all that a step needs.

The Dockerfile ends with this check, and it can be repeated in any built image. Compiles the default
pipeline for both kinds of cluster and resolves every dotted path in what comes of it, since in the
cloud a missing one shows after minutes: the modules that the steps start with, the executor of
every node, the user functions. Also looks at what a Beam worker needs, and whether buckets can be
read. Dotted paths given as arguments are resolved too. Imports TensorFlow and TFX, and starts
nothing.
"""

import importlib
import importlib.metadata
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from fareline.scratch import scratch_folder
from pipeline import user_code
from pipeline.settings.load import load_settings
from pipeline.settings.runners import RUNNER_NAMES
from pipeline.settings.settings import DEFAULT_PATH
from runners.progress import output_to

BOOT = Path("/opt/apache/beam/boot")
BUCKETS = "gs"  # the scheme of every place in a compiled specification
FUNCTIONS = (
    user_code.PREPROCESSING_FN,
    user_code.RUN_FN,
    user_code.TUNER_FN,
    user_code.PII_KEY_FN,
    user_code.VERTEX_PUSH_FN,
)
MODULES = ("pipeline.slice_extractor",)  # Evaluator's `module_path`
# Trainer and Tuner have other executors where they start jobs: both kinds are looked at.
JOBS = tuple(
    f"runners.vertex.{name}={{machine_type: n1-standard-4}}"
    for name in ("training_job", "tuning_job")
)
# What each variable must be; None: absent. With legacy Keras no model of ours can be built, and
# with an environment of its own Beam's worker finds nothing of what is installed here.
VARIABLES: Mapping[str, str | None] = {
    "KERAS_BACKEND": "tensorflow",
    "TF_USE_LEGACY_KERAS": None,
    "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
}


def find_paths_in_specs() -> tuple[list[str], list[str]]:
    """Compiles the pipeline in every variety.

    Returns:
        The modules that steps start with, and the classes of their executors, as dotted paths.
    """
    from runners.submit.compilation import compile_spec

    modules, executors = set(), set()
    for runner, overrides in (*((runner, ()) for runner in RUNNER_NAMES), ("vertex", JOBS)):
        spec = yaml.safe_load(compile_spec(load_settings(DEFAULT_PATH, overrides), runner).text)
        for words in _lists_of_words(spec):
            for option, value in itertools.pairwise(words):
                if option == "-m":
                    modules.add(value)
                elif option == "--executor_class_path":
                    executors.add(value)
    return sorted(modules), sorted(executors)


def _lists_of_words(value: object) -> Iterator[list[str]]:
    """The lists of texts in a specification, commands and arguments among them."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _lists_of_words(part)
    elif isinstance(value, list):
        if all(isinstance(part, str) for part in value):
            yield value
        for part in value:
            yield from _lists_of_words(part)


def resolve(path: str) -> object:
    """Imports what a dotted path of a function or class names.

    Raises:
        ImportError, AttributeError: There is no such module, or nothing of that name in it.
    """
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def require_callable(path: str) -> None:
    """Resolves a dotted path.

    Raises:
        ImportError, AttributeError: As of `resolve`.
        TypeError: The object cannot be called.
    """
    if not callable(resolve(path)):
        raise TypeError(f"{path} cannot be called")


def find_problems(own: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Looks at everything, and yields pairs of what was looked at and what is wrong.

    Args:
        own: Dotted paths of functions of the user that are to be there as well.
    """
    for name, expected in VARIABLES.items():
        found = os.environ.get(name)
        words = "unset" if expected is None else expected
        yield f"{name} {words}", "" if found == expected else f"it is {found or 'unset'}"
    yield "a user who is not root", "" if os.geteuid() else "the user is root"
    beam = importlib.metadata.version("apache-beam")
    runs = os.access(BOOT, os.X_OK)
    yield f"Beam {beam} and its boot", "" if runs else f"{BOOT} is not an executable program"
    yield from find_unreadable_places()
    modules, executors = find_paths_in_specs()
    for path in (*modules, *MODULES):
        yield path, _attempt(importlib.import_module, path)
    for path in (*FUNCTIONS, *executors, *own):
        yield path, _attempt(require_callable, path)


def find_unreadable_places() -> Iterator[tuple[str, str]]:
    """Checks that TensorFlow, which TFX reads with, and Beam support buckets; sends no request."""
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems

    schemes = sorted(filter(None, tf.io.gfile.get_registered_schemes()))
    problem = "" if BUCKETS in schemes else f"it knows {', '.join(schemes)}"
    yield f"TensorFlow reads {BUCKETS}://", problem
    yield f"Beam reads {BUCKETS}://", _attempt(FileSystems.get_filesystem, f"{BUCKETS}://bucket/x")


def _attempt(action: Callable[[str], object], path: str) -> str:
    try:
        action(path)
    except Exception as error:  # noqa: BLE001 - whatever an import raises is what is asked for
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> int:
    """Prints what was looked at, and returns 1 if anything is wrong."""
    with scratch_folder("fareline-smoke-") as folder, output_to(Path(folder) / "log"):
        found = list(find_problems(sys.argv[1:]))
    for what, problem in found:
        sys.stdout.write(f"✗ {what}: {problem}\n" if problem else f"✓ {what}\n")
    return int(any(problem for _, problem in found))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Without the interpreter's farewell, in which TensorFlow 2.16 prints hundreds of errors.
    os._exit(code)
