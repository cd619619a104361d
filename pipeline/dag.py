"""create_pipeline: the ten components and what joins them, in DAG order. It reads like the diagram.

A runner says where things are (`Placement`); what is done is in the settings. Imports TFX by its
modules: `tfx.v1` also imports the Google Cloud clients, which takes four seconds.
"""

import dataclasses

from ml_metadata.proto import metadata_store_pb2
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen, Transform, Tuner
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from fareline.digests import sha256_of_file
from pipeline.baseline_strategy import BaselineStrategy
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from pipeline.components.evaluator import Evaluator
from pipeline.components.example_gen import CsvExampleGen
from pipeline.components.infra_validator import InfraValidator
from pipeline.components.pusher import Pusher
from pipeline.components.trainer import Trainer
from pipeline.evaluation import build_eval_config
from pipeline.sections import Settings
from pipeline.user_code import (
    MODEL_SOURCES,
    PREPROCESSING_FN,
    RUN_FN,
    TRANSFORM_SOURCES,
    TUNER_FN,
    fingerprint_sources,
)
from schema.curated import is_packaged_name, schema_path


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a pipeline reads and writes: all that differs from runner to runner.

    Attributes:
        pipeline_root: Folder or URI of the artifacts.
        data_dir: Folder or URI that holds the input files.
        data_pattern: Glob of the input files, relative to `data_dir`.
        push_dir: Folder or URI that pushed versions go to.
        metadata: Connection to ML Metadata; None where the platform brings its own.
        enable_cache: Whether unchanged components reuse their outputs.
    """

    pipeline_root: str
    data_dir: str
    data_pattern: str
    push_dir: str
    metadata: metadata_store_pb2.ConnectionConfig | None = None
    enable_cache: bool = True


def create_pipeline(settings: Settings, placement: Placement) -> Pipeline:
    """Builds the graph.

    Args:
        settings: Validated settings.
        placement: Where it reads and writes.

    Returns:
        The pipeline, for any TFX runner.
    """
    transform_config = settings.section("task", "features", "label")
    transform_config["source_fingerprint"] = fingerprint_sources(TRANSFORM_SOURCES)
    model_config = settings.section("task", "features", "label", "training", "seed")
    model_config["source_fingerprint"] = fingerprint_sources(MODEL_SOURCES)
    tuner_config = model_config | settings.section("tuning")

    # Data: read, measure, hold against the contract, and stop here if it breaks it.
    example_gen = CsvExampleGen(
        input_base=placement.data_dir,
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern=placement.data_pattern)]
        ),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[
                    example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=share)
                    for name, share in settings.data.splits.shares()
                ]
            )
        ),
    ).with_id("ExampleGen")
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    curated_schema = _curated_schema(settings)
    schema = (curated_schema or schema_gen).outputs["schema"]
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    data_gate = DataGate(anomalies=example_validator.outputs["anomalies"])

    # Model: transform, search, train.
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema,
        preprocessing_fn=PREPROCESSING_FN,
        disable_statistics=not settings.transform.statistics,
        custom_config=transform_config,
    )
    transform.add_upstream_node(data_gate)
    tuner = Tuner(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        tuner_fn=TUNER_FN,
        train_args=trainer_pb2.TrainArgs(splits=["train"], num_steps=settings.tuning.steps),
        eval_args=trainer_pb2.EvalArgs(splits=["validate"]),
        custom_config=tuner_config,
    )
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"],
        run_fn=RUN_FN,
        train_args=trainer_pb2.TrainArgs(splits=["train"], num_steps=settings.training.steps),
        eval_args=trainer_pb2.EvalArgs(splits=["validate"]),
        custom_config=model_config,
    )

    # Judgement: better than the bar and the model in use; servable; then, and only then, published.
    baseline = _baseline_resolver(settings, placement)
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        example_splits=["eval"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=build_eval_config(settings),
        demands=settings.evaluation,
        task=settings.task,
    )
    infra_validator = InfraValidator(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        num_examples=settings.serving.examples,
        budgets=settings.serving.budgets(),
        model_name=settings.name,
        drop_features=[settings.label.column],
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_validator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=placement.push_dir)
        ),
        keep_versions=settings.push.keep_versions,
    )

    return Pipeline(
        pipeline_name=settings.name,
        pipeline_root=placement.pipeline_root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            *([curated_schema] if curated_schema else []),
            example_validator,
            data_gate,
            transform,
            tuner,
            trainer,
            baseline,
            evaluator,
            infra_validator,
            pusher,
        ],
        enable_cache=placement.enable_cache,
        metadata_connection_config=placement.metadata,
    )


def _baseline_resolver(settings: Settings, placement: Placement) -> Resolver:
    """What finds the baseline; Kubeflow and Vertex know TFX's own strategies only."""
    is_local = placement.metadata is not None
    return Resolver(
        strategy_class=BaselineStrategy if is_local else LatestBlessedModelStrategy,
        config={"pipeline": settings.name} if is_local else None,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("BaselineResolver")


def _curated_schema(settings: Settings):
    """The component that brings the reviewed schema, if the settings name one.

    A packaged schema travels by name, since its path differs from machine to machine.
    """
    if settings.schema_ is None:
        return None
    path = schema_path(settings.schema_, settings.path.parent)
    packaged = is_packaged_name(settings.schema_)
    return CuratedSchema(
        source=settings.schema_ if packaged else str(path), sha256=sha256_of_file(path)
    )
