"""Whether Tuner searches from run to run, in runs of TFX with its cache.

What stands around Tuner and the node that finds what may be reused is made up: no data is read and
no model trained.
"""

import json
from pathlib import Path

import pytest
from tfx import v1 as tfx
from tfx.components.tuner import executor as tfx_executor
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Examples, HyperParameters, Model, ModelBlessing

from fareline.recorded.tuning import tuning_of
from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from models.hyperparameters import search_space
from pipeline.artifacts import DataDrift
from pipeline.components.tuner import Tuner, write_without_search
from pipeline.nodes.tuner import find_last_hyperparameters, inputs_to_decide_by, tuning_config
from pipeline.settings.load import load_settings
from runners.local.runner import LocalRunner

# TFX 1.21 asks protobuf for it, and protobuf blames a caller further up, which is LocalRunner.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")

SETTINGS = load_settings(overrides=["tuning.policy=on_drift"])
SAME = ["same search space, model code, task, features, label and weighting; no drift"]


@component
def Source(examples: OutputArtifact[Examples], span: Parameter[int]) -> None:  # noqa: N802
    """Reads a span."""
    examples.split_names = '["train", "validate"]'


@component
def Monitor(  # noqa: N802
    examples: InputArtifact[Examples], drift: OutputArtifact[DataDrift], retunes: Parameter[int]
) -> None:
    """Says that a span has drifted."""
    drift.set_int_custom_property("retunes", retunes)
    drift.set_string_custom_property("retune_reasons", "fare: up" if retunes else "")


@component
def Fit(  # noqa: N802
    hyperparameters: InputArtifact[HyperParameters], model: OutputArtifact[Model]
) -> None:
    """Trains."""


@component
def Judge(  # noqa: N802
    model: InputArtifact[Model], blessing: OutputArtifact[ModelBlessing], blessed: Parameter[int]
) -> None:
    """Blesses or refuses."""
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_int_custom_property("current_model_id", model.id)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the pipeline with a span; returns the state of Tuner, and what it recorded."""

    def search(self, input_dict, output_dict, exec_properties):
        space = search_space(json.loads(exec_properties["custom_config"])["tuning"]["search"])
        write_without_search(json.dumps(space.get_config()), output_dict)

    monkeypatch.setattr(tfx_executor.Executor, "Do", search)
    runs = []

    def run(span, retunes=0, blessed=1):
        runs.append(span)
        source = Source(span=span)
        examples = source.outputs["examples"]
        monitor = Monitor(examples=examples, retunes=retunes)
        last = find_last_hyperparameters(SETTINGS, examples)
        config = SETTINGS.section("task", "features", "label")
        tuner = Tuner(
            inputs={"examples": examples} | inputs_to_decide_by(last, monitor.outputs["drift"]),
            tuner_fn="made.up",
            budget=(1, 1),
            splits=("train", "validate"),
            custom_config={
                **config,
                "tuning": tuning_config(SETTINGS),
                "source_fingerprint": "c0de",
            },
        )
        fit = Fit(hyperparameters=tuner.outputs["best_hyperparameters"])
        judge = Judge(model=fit.outputs["model"], blessed=blessed)
        pipeline = tfx.dsl.Pipeline(
            pipeline_name=SETTINGS.name,
            pipeline_root=str(tmp_path / "root"),
            components=[source, monitor, last, tuner, fit, judge],
            enable_cache=True,
            metadata_connection_config=sqlite_connection(tmp_path / "metadata.db"),
        )
        results = LocalRunner(pipeline, f"run-{len(runs)}").run()
        assert [result.error for result in results] == [None] * 6
        states = {result.name: result.state.value for result in results}
        assert states["Fit"] == states["Tuner"]
        graph = Graph(open_store(tmp_path / "metadata.db"))
        [best] = outputs_of_run(graph, f"run-{len(runs)}")["Tuner"]["best_hyperparameters"]
        assert Path(best.uri, "best_hyperparameters.txt").is_file()
        return states["Tuner"], best.key, tuning_of(best)

    return run


def decision(found):
    _, _, tuning = found
    return tuning["decision"], tuning["reasons"], tuning["reused_from"]


def test_from_run_to_run(run):
    first = run(span=1)
    assert decision(first) == ("searched", ["no blessed model on other data yet"], None)
    assert run(span=1) == ("cached", *first[1:])

    second = run(span=2)
    assert second[0] == "executed"
    assert decision(second) == ("reused", SAME, first[1])
    assert run(span=2) == ("cached", *second[1:])
    assert run(span=1) == ("cached", *first[1:])

    drifted = run(span=3, retunes=2, blessed=0)
    assert decision(drifted) == ("searched", ["fare: up"], None)
    assert run(span=3, retunes=2, blessed=0) == ("cached", *drifted[1:])

    [reason] = decision(after := run(span=4))[1]
    assert reason.startswith("fare: up (DataDrift:")
    assert after[2]["decision"] == "searched"
    assert decision(run(span=5)) == ("reused", SAME, after[1])
    assert run(span=4) == ("cached", *after[1:])
    assert run(span=2) == ("cached", *second[1:])
