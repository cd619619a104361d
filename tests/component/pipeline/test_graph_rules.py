"""Rules about graphs: what TFX's compiler for Kubeflow and Vertex cannot take, said in advance."""

import pytest
from tfx import v1 as tfx
from tfx.components import InfraValidator
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.dsl.input_resolution.strategies.span_range_strategy import SpanRangeStrategy
from tfx.types import Channel, channel, component_spec, standard_artifacts
from tfx.types.artifact import Artifact

from fareline.errors import SettingsError
from pipeline.rules.graph import check_graph
from pipeline.settings.load import load_settings
from tests.told import without_origin


def problems(*components):
    try:
        check_graph(load_settings(), components)
    except SettingsError as error:
        return without_origin(error).splitlines()
    return []


@pytest.fixture
def model():
    return tfx.dsl.Importer(
        source_uri="gs://bucket/model", artifact_type=standard_artifacts.Model
    ).with_id("Imported")


def node_with(output_type=standard_artifacts.Model, executor=None, **inputs):
    """A component with one output, and the inputs that are given."""

    class Spec(component_spec.ComponentSpec):
        PARAMETERS = {}  # noqa: RUF012 - TFX's own kind
        INPUTS = {  # noqa: RUF012
            key: component_spec.ChannelParameter(type=standard_artifacts.Model) for key in inputs
        }
        OUTPUTS = {  # noqa: RUF012
            "made": component_spec.ChannelParameter(type=output_type)
        }

    class Node(base_component.BaseComponent):
        SPEC_CLASS = Spec
        EXECUTOR_SPEC = executor or executor_spec.ExecutorClassSpec(object)

    return Node(spec=Spec(**inputs, made=Channel(type=output_type)))


def test_a_plain_graph_breaks_no_rule(model):
    latest = Resolver(
        strategy_class=LatestArtifactStrategy, model=Channel(type=standard_artifacts.Model)
    ).with_id("Latest")
    assert problems(model, latest, node_with(model=model.outputs["result"])) == []


def test_the_infra_validator_of_tfx_is_refused(model):
    validator = InfraValidator(
        model=model.outputs["result"],
        serving_spec=tfx.proto.ServingSpec(tensorflow_serving={"tags": ["latest"]}),
    )
    assert problems(model, validator) == [
        "InfraValidator: TFX's InfraValidator, and whatever is derived from it, is refused by the "
        "compiler; expected another class. Hint: use pipeline.components.infra_validator."
    ]


def test_an_executor_that_is_neither_class_nor_container_is_refused():
    class Exotic(executor_spec.ExecutorSpec):
        def copy(self):
            return self

    assert problems(node_with(executor=Exotic())) == [
        "Node: its executor is a Exotic; expected a class or a container. Hint: write the "
        "component with @component."
    ]


def test_a_pipeline_within_is_refused():
    inner = tfx.dsl.Pipeline(
        pipeline_name="inner", pipeline_root="gs://bucket/x", components=[node_with()]
    )
    assert problems(inner) == [
        "inner: it is a pipeline within the pipeline; expected components. Hint: put its "
        "components into the outer one."
    ]


def test_a_rolling_window_is_refused_where_no_platform_resolves_it():
    window = Resolver(
        strategy_class=SpanRangeStrategy,
        config={
            "range_config": tfx.proto.RangeConfig(rolling_range=tfx.proto.RollingRange(num_spans=3))
        },
        examples=Channel(type=standard_artifacts.Examples),
    ).with_id("Window")
    assert problems(window) == [
        "Window: its strategy SpanRangeStrategy is unknown to Kubeflow and Vertex; expected "
        "LatestArtifactStrategy or LatestBlessedModelStrategy. Hint: where several spans are "
        "wanted, have the source hold them, and read it whole."
    ]


def test_an_input_of_two_outputs_is_refused(model):
    other = tfx.dsl.Importer(
        source_uri="gs://bucket/other", artifact_type=standard_artifacts.Model
    ).with_id("Other")
    both = channel.union([model.outputs["result"], other.outputs["result"]])
    assert problems(model, other, node_with(model=both)) == [
        "Node: its input model is a UnionChannel; expected the output of one node. Hint: connect "
        "it directly, or join the artifacts in a component."
    ]


def test_an_artifact_type_without_a_name_to_import_it_by_is_refused():
    class Notes(Artifact):
        TYPE_NAME = "Notes"

    class Named(Artifact):
        TYPE_NAME = "pipeline.Named"

    assert problems(node_with(output_type=Named)) == []
    assert problems(node_with(output_type=Notes)) == [
        "Node: the type Notes of its output made has no name that the compiler takes; expected "
        "MODULE.CLASS, by which a step imports it. Hint: set its TYPE_NAME, or use a standard "
        "artifact."
    ]
