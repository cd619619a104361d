"""From settings to what a cluster is sent: the compiled spec, as text.

One graph for all: `create_pipeline` builds it, TFX's compiler translates it, and what that leaves
out is filled in here: resources of every container, values of the runtime parameters, labels.
Needs no credentials and no network, and the same settings give the same bytes. Everything that can
be wrong with the settings is found before TFX is imported.
"""

import dataclasses
import glob
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data.sources.files import check_source_files
from data.sources.span_patterns import has_span, split_pattern
from data.taxi import taxi_csv_path
from pipeline.rules.cluster import check_runner
from pipeline.rules.graph import check_graph
from pipeline.rules.settings import check_settings
from pipeline.rules.spec import check_spec
from pipeline.settings.runners import DEFAULT_NODE, Cluster, Resources, RunnerName
from pipeline.settings.settings import Settings
from pipeline.source.query import check_local_query
from runners.own_code import (
    choose_keras_3,
    own_components,
    require_own_code,
    require_whole_packages,
)
from runners.part import require_node
from runners.platforms.registry import PLATFORMS

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline


_EXAMPLE_GEN, _LOOKUP = "ExampleGen", "Lookup"


@dataclasses.dataclass(frozen=True)
class CompiledSpec:
    """The compiled pipeline for a cluster.

    Attributes:
        runner: The kind of cluster.
        text: A PipelineSpec in YAML for Kubeflow, a PipelineJob in JSON for Vertex.
        parameters: Value of each runtime parameter, as the text has it.
        pipeline_root: URI of the artifacts, as the text has it.
    """

    runner: RunnerName
    text: str
    parameters: dict[str, int | str]
    pipeline_root: str

    @property
    def suffix(self) -> str:
        """Suffix of a file with the text; clients and TFX recognize the format by the suffix."""
        return PLATFORMS[self.runner].suffix


def compile_spec(
    settings: Settings, runner: RunnerName, to_nodes: Sequence[str] = ()
) -> CompiledSpec:
    """Compiles the pipeline of some settings.

    Args:
        settings: Valid in themselves.
        runner: Kind of the cluster.
        to_nodes: Nodes that the graph ends with; empty: it has all nodes.

    Returns:
        The spec, which has passed every check of pipeline.rules.cluster and pipeline.rules.spec.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
        UserMistake: There is no such node.
    """
    section = require_section(settings, runner)
    check_settings(settings)
    check_runner(settings, runner, section)
    if settings.code.packages:
        choose_keras_3()
        require_own_code(settings)
        require_whole_packages(settings)
    job, parameters = _compile_job(settings, runner, section, to_nodes)
    check_spec(settings, runner, job["pipelineSpec"], is_part=bool(to_nodes))
    text = PLATFORMS[runner].adapter.as_text(job)
    root = section.place_of("pipeline_root", settings.name)
    return CompiledSpec(runner, text, parameters, root)


def require_section(settings: Settings, runner: RunnerName) -> Cluster:
    """Returns what the settings say about a runner.

    Raises:
        SettingsError: Nothing.
    """
    section = getattr(settings.runners, runner)
    if section is None:
        line = (
            f"runners.{runner}: missing; expected an image, a bucket and what else the runner "
            f"needs. Hint: copy the section runners.{runner} of pipeline/configs/taxi.yaml."
        )
        raise settings.wrong([line])
    return section


def _compile_job(
    settings: Settings, runner: RunnerName, section: Cluster, to_nodes: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int | str]]:
    """Has TFX compile the graph; returns a PipelineJob as JSON types, and its parameters."""
    from tfx.orchestration.data_types import RuntimeParameter
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    from pipeline.dag import Placement, create_pipeline

    adapter = PLATFORMS[runner].adapter
    bigquery = settings.data.source.bigquery
    parameters: dict[str, int | str] = {}

    def parameterize(name: str, value: int | str) -> RuntimeParameter:
        parameters[name] = value
        return RuntimeParameter(name=name, ptype=type(value))

    placement = Placement(
        pipeline_root=section.place_of("pipeline_root", settings.name),
        data_dir=None if bigquery else section.place_of("data_path", settings.name),
        data_pattern=remote_data_pattern(settings),
        push_dir=section.place_of("push_destination", settings.name),
        enable_cache=section.cache,
        baseline=adapter.BASELINE,
        parameterize=parameterize,
        beam_args=adapter.beam_args(settings, section),
        jobs=adapter.jobs(settings, section),
        own_components=own_components(settings),
    )
    pipeline = create_pipeline(settings, placement)
    if to_nodes:
        end_with(pipeline, to_nodes)
    check_graph(settings, pipeline.components)
    compiler = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=section.image, use_pipeline_spec_2_1=True
        )
    )
    job = compiler.run(pipeline, parameter_values=parameters, write_out=False)
    if to_nodes:  # those of nodes that are left out
        used = job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
        parameters = {name: value for name, value in parameters.items() if name in used}
    job["runtimeConfig"]["parameterValues"] = dict(parameters)  # whole numbers, where TFX has 4.0
    _write_parameter_values(job["pipelineSpec"], parameters)
    _write_resources(job["pipelineSpec"], section.resources)
    uncached = {
        _EXAMPLE_GEN: bigquery is not None and not bigquery.cache,
        "DataPolicy": settings.gate.has_dates,  # what it decides depends on the day
        # Nor does its path say what lies there.
        "DriftMonitor": settings.drift.serving_sample is not None,
    }
    for node, task in job["pipelineSpec"]["root"]["dag"]["tasks"].items():
        if uncached.get(node):
            task.pop("cachingOptions", None)
    adapter.finish(job, settings, section)
    return job, parameters


def end_with(pipeline: "Pipeline", to_nodes: Sequence[str]) -> None:
    """Leaves out all nodes of a pipeline but some and those that they depend on.

    Args:
        pipeline: From `create_pipeline`; changed in place.
        to_nodes: Ids of the nodes that it is to end with.

    Raises:
        UserMistake: There is no such node.
    """
    nodes = {node.id: node for node in pipeline.components}
    for name in to_nodes:
        require_node(name, sorted(nodes))
    kept, waiting = set(), {*to_nodes}
    while waiting:
        kept |= waiting
        if _EXAMPLE_GEN in kept and _LOOKUP in nodes:  # connected after TFX has compiled it
            kept.add(_LOOKUP)
        waiting = {up.id for name in kept for up in nodes[name].upstream_nodes} - kept
    beam_args = [*pipeline.beam_pipeline_args]
    pipeline.beam_pipeline_args.clear()  # the nodes have them already, and would get them again
    pipeline.components = [node for name, node in nodes.items() if name in kept]
    pipeline.beam_pipeline_args.extend(beam_args)


def remote_data_pattern(settings: Settings) -> str | Mapping[str, str]:
    """The glob of the input files below the data path; they have the names that they have here.

    Of a query over files one for each table, below the deepest folder that holds them all here.
    """
    source = settings.data.source
    if source.bigquery:
        return ""
    if source.sql:
        return check_local_query(settings).pattern
    if has_span(source.path or ""):
        return split_pattern(str(settings.resolve(source.path)))[1]
    if source.files:
        return check_source_files(settings.resolve(source.files), ()).pattern
    path = settings.resolve(source.csv) if source.csv else taxi_csv_path()
    return "*.csv" if path.is_dir() else glob.escape(path.name)


def _write_parameter_values(spec: dict[str, Any], parameters: dict[str, int | str]) -> None:
    """Writes the values as defaults: TFX drops those that a RuntimeParameter has."""
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, value in parameters.items():
        definitions[name]["defaultValue"] = value


def _write_resources(spec: dict[str, Any], resources: dict[str, Resources]) -> None:
    """Gives every container its resources; TFX's compiler forgets those of an ExampleGen."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        node = label.removesuffix("_executor")
        wanted = resources.get(node, resources.get(DEFAULT_NODE))
        if "container" not in executor or wanted is None:
            continue
        written = {}
        if wanted.cpu is not None:
            written["cpuLimit"] = wanted.cpu
        if wanted.memory_gb is not None:
            written["memoryLimit"] = wanted.memory_gb
        if wanted.accelerator is not None:
            kind, count = wanted.accelerator.type, wanted.accelerator.count
            written["accelerator"] = {"type": kind, "count": str(count)}
        executor["container"]["resources"] = written
