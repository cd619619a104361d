"""create_pipeline: the components and their connections, in the order of the graph.

A runner defines the places of files (`Placement`), and the settings define the work. Imports
modules of TFX, because `tfx.v1` also imports the Google Cloud clients, which takes four seconds.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen, Transform
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorSpec
from tfx.dsl.components.common.importer import IMPORT_RESULT_KEY
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import Model, ModelBlessing
from tfx.types.standard_component_specs import (
    BASE_MODEL_KEY,
    INPUT_CONFIG_KEY,
    RANGE_CONFIG_KEY,
)

from fareline.digests import sha256_of_file
from fareline.recorded import SAMPLE
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from pipeline.components.data_policy import DataPolicy
from pipeline.components.drift_monitor import DriftMonitor
from pipeline.components.evaluator import Evaluator
from pipeline.components.infra_validator import InfraValidator
from pipeline.components.live_baseline import LiveBaseline
from pipeline.components.lookup import Lookup
from pipeline.components.pusher import Pusher
from pipeline.components.trainer import Trainer
from pipeline.components.tuner import Tuner
from pipeline.components.vertex.pusher import VertexPusher
from pipeline.evaluation.eval_config import build_eval_config
from pipeline.nodes.data_gate import drift_rules, gate_policy
from pipeline.nodes.example_gen import build_example_gen
from pipeline.nodes.prepared_data import PREPARED_KEYS, find_prepared, import_examples
from pipeline.nodes.tuner import find_last_hyperparameters, inputs_to_decide_by, tuning_config
from pipeline.resolvers.baseline import BaselineStrategy
from pipeline.resolvers.warm_start import WarmStartStrategy
from pipeline.rules.inferred import inferred_uses
from pipeline.settings.settings import DATA, TRAINING, Settings
from pipeline.user_code import VERTEX_PUSH_FN, choose_function, fingerprint_sources
from schema.curated import is_packaged_name, schema_path


@dataclasses.dataclass(frozen=True)
class Placement:
    """The places and options that differ between runners.

    Attributes:
        pipeline_root: Folder or URI of the artifacts.
        data_dir: Folder or URI of the input files; None: the source is BigQuery.
        data_pattern: Glob of the input files, relative to `data_dir`, with `{SPAN}` and so on for
            spans. For a query over files, one for each table by its name.
        push_dir: Folder or URI of the pushed versions.
        metadata: Connection to ML Metadata; None if the platform has its own.
        enable_cache: Whether unchanged components reuse their outputs.
        span_range: The first and the last span to read, if known before the run; None: the span
            in the settings, or the latest.
        today: ISO date for rules of the gate that end; empty: the clock of each run.
        pii_key_id: Digest that identifies the key of pseudonyms, if known; never the key.
        baseline: Strategy for the model to compare with: `decided`, the latest approved model
            unless a person decided otherwise; `latest_blessed`, TFX's own strategy, the only one
            that Vertex supports; `live`, components that read the push destination and the data,
            for platforms that execute neither resolvers nor checks before their cache.
        parameterize: Called with name and value of each runtime parameter. Returns its
            representation in the graph: the value in a local run, a RuntimeParameter in a spec.
        beam_args: Options of the Beam pipelines.
        warm_start: Id of the model whose weights Trainer begins with where `baseline` is
            `decided`; 0: none. Elsewhere the baseline is that model.
        own_components: Called with the nodes by their ids; returns the user's own nodes.
        jobs: For Trainer and Tuner, node id to the executor that replaces its own, and the entries
            for `custom_config`.
        prepared: With `pipeline: training` where `baseline` is `decided`: output key to the id of
            the artifact of the data pipeline that takes its place.
    """

    pipeline_root: str
    data_dir: str | None
    data_pattern: str | Mapping[str, str]
    push_dir: str
    metadata: metadata_store_pb2.ConnectionConfig | None = None
    enable_cache: bool = True
    span_range: tuple[int, int] | None = None
    today: str = ""
    pii_key_id: str | None = None
    baseline: Literal["decided", "latest_blessed", "live"] = "decided"
    parameterize: Callable[[str, Any], Any] = lambda name, value: value
    beam_args: tuple[str, ...] = ()
    warm_start: int = 0
    own_components: Callable[[Mapping[str, BaseNode]], Sequence[BaseNode]] | None = None
    jobs: dict[str, tuple[ExecutorSpec, dict[str, Any]]] = dataclasses.field(default_factory=dict)
    prepared: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Data:
    """The part of the graph that ends with data, or what takes its place.

    Attributes:
        nodes: Its nodes, in DAG order.
        examples, schema, drift: Its outputs.
        gate: The node that decides whether training begins; None: it was decided earlier.
        lookup: What finds the live version, where no resolver is executed.
    """

    nodes: Sequence[BaseNode]
    examples: BaseChannel
    schema: BaseChannel
    drift: BaseChannel | None
    gate: BaseNode | None = None
    lookup: BaseComponent | None = None


def create_pipeline(settings: Settings, placement: Placement) -> Pipeline:
    """Builds the graph: all of it, or the part that `pipeline` in the settings names.

    Args:
        settings: Validated settings.
        placement: Places and options of the runner.

    Returns:
        The pipeline, for any TFX runner.
    """
    starts = _prepared_data if settings.pipeline == TRAINING else _read_data
    data = starts(settings, placement)
    nodes = [*data.nodes]
    if settings.pipeline != DATA:
        nodes += _model_nodes(settings, placement, data)
    if placement.own_components is not None:
        nodes += placement.own_components({node.id: node for node in nodes})
    return Pipeline(
        pipeline_name=settings.pipeline_name,
        pipeline_root=placement.pipeline_root,
        components=nodes,
        enable_cache=placement.enable_cache,
        beam_pipeline_args=list(placement.beam_args),
        metadata_connection_config=placement.metadata,
    )


def _read_data(settings: Settings, placement: Placement) -> _Data:
    """Data: read, measure, hold against the contract, and stop here if it breaks it."""
    data_path = placement.data_dir
    if data_path is not None:
        data_path = placement.parameterize("data_path", data_path)
    example_gen = build_example_gen(
        settings,
        data_path,
        placement.data_pattern,
        placement.span_range,
        placement.parameterize,
        placement.pii_key_id,
    ).with_id("ExampleGen")
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    curated_schema = _curated_schema(settings)
    schema = (curated_schema or schema_gen).outputs["schema"]
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    data_policy = DataPolicy(
        anomalies=example_validator.outputs["anomalies"],
        schema=schema,
        examples=example_gen.outputs["examples"],
        policy=gate_policy(settings),
        today=placement.today if settings.gate.has_dates else "",
    )
    passed_data = f"{placement.pipeline_root}/passed_data/{settings.name}"
    drift_monitor = DriftMonitor(
        examples=example_gen.outputs["examples"],
        schema=schema,
        rules=drift_rules(settings),
        passed_data=passed_data,
    )
    data_gate = DataGate(
        decision=data_policy.outputs["decision"],
        drift=drift_monitor.outputs["drift"],
        examples=example_gen.outputs["examples"],
        schema=schema,
        uses=json.dumps(inferred_uses(settings)),
        # No later data is compared with a sample.
        passed_data=passed_data if settings.data.sample is None else "",
    )
    lookup = None
    if placement.baseline == "live":
        lookup = Lookup(
            input_base=data_path or "",
            input_config=example_gen.exec_properties[INPUT_CONFIG_KEY],
            wanted_span=example_gen.exec_properties.get(RANGE_CONFIG_KEY) or "",
            push_destination=placement.push_dir,
        )
    nodes = [
        *([lookup] if lookup else []),
        example_gen,
        statistics_gen,
        schema_gen,
        *([curated_schema] if curated_schema else []),
        example_validator,
        data_policy,
        drift_monitor,
        data_gate,
    ]
    return _Data(
        nodes,
        example_gen.outputs["examples"],
        schema,
        drift_monitor.outputs["drift"],
        data_gate,
        lookup,
    )


def _prepared_data(settings: Settings, placement: Placement) -> _Data:
    """Data that the data pipeline has read, measured and let pass: it is looked up or imported."""
    lookup = None
    if placement.baseline == "live":
        lookup = Lookup(
            input_base="",
            input_config="",
            wanted_span="",
            push_destination=placement.push_dir,
        )
    nodes: list[BaseNode] = [lookup] if lookup else []
    if placement.baseline == "decided":
        found = find_prepared(placement.prepared)
        return _Data([*nodes, found], *(found.outputs[key] for key in PREPARED_KEYS))
    examples = import_examples(settings)
    curated_schema = _curated_schema(settings)
    return _Data(
        [*nodes, examples, curated_schema],
        examples.outputs[IMPORT_RESULT_KEY],
        curated_schema.outputs["schema"],
        drift=None,
        lookup=lookup,
    )


def _model_nodes(settings: Settings, placement: Placement, data: _Data) -> list[BaseNode]:
    """Model: transform, search, train, judge, publish; the nodes in DAG order."""
    code = settings.code
    preprocessing_fn, transform_sources = choose_function("preprocessing_fn", code.preprocessing_fn)
    run_fn, trainer_sources = choose_function("run_fn", code.run_fn)
    tuner_fn, tuner_sources = choose_function("tuner_fn", code.tuner_fn)
    transform_config = settings.section("task", "features", "label")
    transform_config["source_fingerprint"] = fingerprint_sources(transform_sources)
    model_config = settings.section("task", "features", "label", "training", "seed")
    model_config["model"] = {"kind": settings.model.kind}
    model_config["source_fingerprint"] = fingerprint_sources(trainer_sources)
    if settings.data.sample is not None:
        model_config[SAMPLE] = settings.data.sample
    if settings.weighting.is_on:
        transform_config |= settings.section("weighting")
        model_config |= settings.section("weighting")
    if settings.weighting.down_sample:
        transform_config |= settings.section("seed")
    tuner_config = model_config | {
        "tuning": tuning_config(settings),
        "source_fingerprint": fingerprint_sources(tuner_sources),
    }
    del model_config["training"]["steps"]  # a runtime parameter, which travels by itself
    del model_config["training"]["warm_start"]  # an input
    tuner_job, tuner_job_config = placement.jobs.get("Tuner", (None, {}))
    trainer_job, trainer_job_config = placement.jobs.get("Trainer", (None, {}))

    transform = Transform(
        examples=data.examples,
        schema=data.schema,
        preprocessing_fn=preprocessing_fn,
        disable_statistics=not settings.transform.statistics,
        custom_config=transform_config,
    )
    if data.gate is not None:
        transform.add_upstream_node(data.gate)
    transformed = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
    }
    last = find_last_hyperparameters(settings, data.examples)
    trials = placement.parameterize("tuning_trials", settings.tuning.trials)
    tuner = Tuner(
        inputs=transformed | inputs_to_decide_by(last, data.drift),
        tuner_fn=tuner_fn,
        budget=(trials, settings.tuning.steps),
        splits=("train", "validate"),
        custom_config=tuner_config | tuner_job_config,
        custom_executor_spec=tuner_job,
    )
    # The model that a new one is compared with, and may begin with.
    baseline = _baseline(settings, placement, data.lookup)
    earlier = _earlier_model(settings, placement, baseline)
    trainer = Trainer(
        inputs={
            **transformed,
            "hyperparameters": tuner.outputs["best_hyperparameters"],
            **({BASE_MODEL_KEY: earlier.outputs["model"]} if earlier else {}),
        },
        run_fn=run_fn,
        steps=placement.parameterize("training_steps", settings.training.steps),
        splits=("train", "validate"),
        custom_config=model_config | trainer_job_config,
        custom_executor_spec=trainer_job,
    )

    # Judgement: better than the bar and the model in use; servable; then, and only then, published.
    evaluator = Evaluator(
        examples=data.examples,
        example_splits=["eval"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=build_eval_config(settings),
        demands=settings.evaluation,
        task=settings.task,
        unserved_columns=settings.unserved_columns,
        reference=(
            settings.section("features", "label", "task", "seed")
            if settings.evaluation.reference
            else None
        ),
        own_modules=code.modules_of_evaluator,
    )
    infra_validator = InfraValidator(
        model=trainer.outputs["model"],
        examples=data.examples,
        num_examples=settings.serving.examples,
        budgets=settings.serving.budgets(),
        model_name=settings.name,
        drop_features=settings.unserved_columns,
        task=settings.task,
        classes=settings.label.num_classes,
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_validator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=placement.push_dir)
        ),
        keep_versions=settings.push.keep_versions,
        sample=settings.data.sample,
        when=[each.model_dump(exclude_none=True) for each in settings.push.when],
        evaluation=evaluator.outputs["evaluation"] if settings.push.when else None,
    )
    vertex_pusher = None
    if settings.push.to_vertex:
        vertex_pusher = VertexPusher(
            model=trainer.outputs["model"],
            examples=data.examples,
            evaluation=evaluator.outputs["evaluation"],
            published=pusher.outputs["pushed_model"],
            target=json.dumps(settings.vertex_target, sort_keys=True),
            push_fn=VERTEX_PUSH_FN,
        )
    return [
        transform,
        *([last] if last else []),
        tuner,
        *([earlier] if earlier not in (None, baseline) else []),
        trainer,
        baseline,
        evaluator,
        infra_validator,
        pusher,
        *([vertex_pusher] if vertex_pusher else []),
    ]


def _baseline(
    settings: Settings, placement: Placement, lookup: BaseComponent | None = None
) -> BaseNode:
    """What finds the model to compare with."""
    if lookup is not None:
        version = lookup.outputs["live_version"].future()[0].value
        return LiveBaseline(push_destination=placement.push_dir, version=version)
    decided = placement.baseline == "decided"
    return Resolver(
        strategy_class=BaselineStrategy if decided else LatestBlessedModelStrategy,
        config={"pipeline": settings.name} if decided else None,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("BaselineResolver")


def _earlier_model(settings: Settings, placement: Placement, baseline: BaseNode) -> BaseNode | None:
    """What finds the model whose weights Trainer begins with, if the settings name one."""
    if settings.training.warm_start is None:
        return None
    if placement.baseline != "decided":
        return baseline
    return Resolver(
        strategy_class=WarmStartStrategy,
        config={"model_id": placement.warm_start},
        model=Channel(type=Model),
    ).with_id("WarmStartResolver")


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
