"""The section `beam`: engines by name, each with what it needs."""

import pytest

from fareline.errors import SettingsError
from pipeline.settings.load import load_settings

SERVER = "{job_endpoint: 'localhost:8099'}"


def load(*overrides):
    return load_settings(overrides=list(overrides)).beam


def test_everything_runs_in_the_process_of_the_run_unless_it_is_told_otherwise():
    assert load().by_node() == {}


def test_a_component_may_have_an_engine_of_its_own():
    beam = load("beam.engine=processes", "beam.components={Evaluator: direct, Transform: flink}",
                f"beam.flink={SERVER}")  # fmt: skip
    assert beam.by_node() == {
        "ExampleGen": "processes", "StatisticsGen": "processes", "Transform": "flink",
    }  # fmt: skip
    assert beam.server_of("flink").job_endpoint == "localhost:8099"


@pytest.mark.parametrize("engine", ["flink", "spark", "prism"])
@pytest.mark.parametrize("where", ["beam.engine={}", "beam.components={{Transform: {}}}"])
def test_an_engine_without_its_address_is_refused(engine, where):
    with pytest.raises(SettingsError, match=rf"expected beam\.{engine} with the job_endpoint"):
        load(where.format(engine))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("beam.engine=dask", "counts wrong without an error"),
        ("beam.engine=DASK", "counts wrong without an error"),
        ("beam.components={Evaluator: dask}", "counts wrong without an error"),
        ("beam.engine=dataflow", "expected runners.vertex.beam: dataflow"),
        ("beam.engine=samza", "expected 'direct', 'processes', 'flink', 'spark' or 'prism'"),
        ("beam.engine=null", "expected"),
        ("beam.components={Trainer: processes}", "expected 'ExampleGen', 'StatisticsGen'"),
        *(
            (f"beam.processes.workers={workers}", f"beam.processes.workers: found {workers}; exp")
            for workers in (1, 0, -1, 257, 1_000_000_000)
        ),
        ("beam.processes.workers=1e9", "beam.processes.workers"),
        ("beam.flink={job_endpoint: 'h:1', parallelism: 1000000000}", "at most 32768"),
        ("beam.flink={job_endpoint: 'localhost'}", "expected HOST:PORT"),
        ("beam.flink={job_endpoint: 'http://localhost:8099'}", "expected HOST:PORT"),
        ("beam.flink={job_endpoint: 'localhost:99999'}", "expected a port from 1 to 65535"),
        ("beam.flink={job_endpoint: 'localhost:0'}", "expected a port from 1 to 65535"),
        ("beam.flink={}", "job_endpoint"),
        ("beam.flink={job_endpoint: 'h:1', workers: pool}", "expected pool: HOST:PORT"),
        ("beam.flink={job_endpoint: 'h:1', pool: 'h:2'}", "expected null unless workers is pool"),
        ("beam.flink={job_endpoint: 'h:1', command: w}", "expected null unless workers is proc"),
        ("beam.flink={job_endpoint: 'h:1', workers: docker}", "beam.flink.workers"),
        ("beam.flink={job_endpoint: 'h:1', parallelism: 0}", "beam.flink.parallelism"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_one_line(value, words):
    with pytest.raises(SettingsError) as error:
        load(value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
