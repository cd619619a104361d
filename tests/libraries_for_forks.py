"""Imports what the commands need, and nothing of this project: see `tests.forked`."""

import contextlib
import gc
import importlib
import os

LIBRARIES = (
    "pydantic",
    "typer.testing",
    "rich.console",
    "yaml",
    "pandas",
    "pyarrow.parquet",
    "tensorflow",
    "keras",
    "keras_tuner",
    "grpc",
    "tensorflow_serving.apis.prediction_service_pb2_grpc",
    "apache_beam",
    "tensorflow_data_validation",
    "tensorflow_transform.beam",
    "tensorflow_model_analysis",
    "tfx.v1",
    "tfx.orchestration.portable.launcher",
    "tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
)


def _load() -> None:
    with _nothing_said():
        gc.disable()
        for name in LIBRARIES:
            with contextlib.suppress(ImportError):  # the command that needs it says so
                importlib.import_module(name)
        gc.enable()
        gc.freeze()  # the forks need not look through it


@contextlib.contextmanager
def _nothing_said():
    """What libraries say while they are imported, from C++ as well, is no output of a command."""
    descriptor, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(descriptor, 2)
        os.close(descriptor)
        os.close(nowhere)


_load()
