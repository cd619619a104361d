"""A tiny pipeline around InfraValidator and Pusher, compiled for Kubeflow and for Vertex."""

import json

import yaml
from tfx import v1 as tfx
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.types import standard_artifacts

from pipeline.components.infra_validator import InfraValidator
from pipeline.components.pusher import Pusher


def importer(name, artifact_type):
    """A node that hands an artifact to the components under test."""
    return tfx.dsl.Importer(source_uri=f"gs://bucket/{name}", artifact_type=artifact_type).with_id(
        name
    )


def compile_pipeline(folder, suffix, when=()):
    """Compiles Importers -> InfraValidator -> Pusher, with conditions or without.

    Returns:
        What was written, parsed: a PipelineSpec for `.yaml`, a PipelineJob for `.json`.
    """
    model = importer("model", standard_artifacts.Model)
    examples = importer("examples", standard_artifacts.Examples)
    blessing = importer("blessing", standard_artifacts.ModelBlessing)
    validator = InfraValidator(
        model=model.outputs["result"],
        examples=examples.outputs["result"],
        budgets={"latency_ms": {"batch_1": {"p95": 50}}, "size_mb": 10.5},
        num_examples=5,
        model_name="taxi",
        drop_features=["tips", "fare"],
    )
    evaluation = importer("evaluation", standard_artifacts.ModelEvaluation)
    pusher = Pusher(
        model=model.outputs["result"],
        model_blessing=blessing.outputs["result"],
        infra_blessing=validator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory="gs://bucket/serving")
        ),
        when=when,
        evaluation=evaluation.outputs["result"],
    )
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        default_image="image:1", use_pipeline_spec_2_1=True
    )
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=config, output_dir=str(folder), output_filename=f"pipeline{suffix}"
    )
    runner.run(
        tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root="gs://bucket/root",
            components=[
                model,
                examples,
                blessing,
                validator,
                pusher,
                *([evaluation] if when else []),
            ],
        ),
        write_out=True,
    )
    text = (folder / f"pipeline{suffix}").read_text()
    return yaml.safe_load(text) if suffix == ".yaml" else json.loads(text)
