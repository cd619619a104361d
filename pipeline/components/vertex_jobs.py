"""Trainer and Tuner as jobs of their own on Vertex Training, through TFX's executors for that.

The step's container starts the job, with the same inputs and outputs, and waits for its end. What
the executor records with its artifacts in the job does not come back from there: the Model has no
hyperparameters in its properties. Imported only where such a job is asked for, since it brings the
Google Cloud clients with it.
"""

from typing import Any

from tfx import types
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer import executor as trainer_job
from tfx.extensions.google_cloud_ai_platform.tuner import executor as tuner_job

from pipeline.components import trainer
from pipeline.components.tuner import put_trials_into_custom_config


class TrainerJobExecutor(trainer_job.GenericExecutor):
    """Starts a job that runs our Trainer's executor."""

    def _GetExecutorClass(self):  # noqa: N802 - TFX calls it so
        return trainer.Executor


class TunerJobExecutor(tuner_job.Executor):
    """Starts a job that runs TFX's search."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Starts the job, with the number of trials where TFX's executor in it hands it on."""
        super().Do(input_dict, output_dict, put_trials_into_custom_config(exec_properties))


def training_job(job: dict[str, Any], region: str) -> tuple[ExecutorClassSpec, dict[str, Any]]:
    """The configuration with which Trainer starts a job.

    Args:
        job: A CustomJob, and `project`.
        region: Region of the job.

    Returns:
        Its executor, and what goes into its `custom_config`.
    """
    config = {trainer_job.TRAINING_ARGS_KEY: job, **_on_vertex(region)}
    return ExecutorClassSpec(TrainerJobExecutor), config


def tuning_job(job: dict[str, Any], region: str) -> tuple[ExecutorClassSpec, dict[str, Any]]:
    """The configuration with which Tuner starts a job."""
    return ExecutorClassSpec(TunerJobExecutor), {
        tuner_job.TUNING_ARGS_KEY: job,
        **_on_vertex(region),
    }


def _on_vertex(region: str) -> dict[str, Any]:
    return {constants.ENABLE_VERTEX_KEY: True, constants.VERTEX_REGION_KEY: region}
