"""A compiled spec, executed here up to the data gate: all that `make test` asks of a replay.

The data breaks the schema, so that no model is trained. Whole replays are in test_specs and
test_submit, which `make test-replays` runs.
"""

import pandas as pd
import pytest

from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BUCKET = "gs://example-bucket"  # of the default settings


def test_a_spec_is_executed_up_to_the_gate_and_says_what_is_wrong(
    small_csv, small_settings, tmp_path
):
    trips = pd.read_csv(small_csv, dtype=str)
    trips.loc[::10, "payment_type"] = "Bitcoin"
    data = tmp_path / "bucket" / "chicago-taxi" / "data"
    data.mkdir(parents=True)
    trips.to_csv(data / "trips.csv", index=False)
    spec = tmp_path / "vertex.json"
    overrides = [part for setting in small_settings for part in ("--set", setting)]
    compiled = run_forked(**fareline_command("compile", "vertex", "-o", spec, *overrides))
    assert compiled.returncode == 0, compiled.stderr

    arguments = ("--spec", spec, f"--map={BUCKET}={tmp_path / 'bucket'}")
    run = run_fareline(tmp_path / "workspace", arguments=arguments)
    assert run.exit_code == 1, run.stderr
    assert run.nodes_in("failed") == {"DataGate"}
    assert run.nodes_in("executed") >= {"ExampleGen", "StatisticsGen", "SchemaGen", "DataPolicy"}
    assert {"Transform", "Trainer", "Pusher"} <= run.nodes_in("skipped")
    said = (
        "schema.gate.anomalies.DataAnomalies: the data breaks the schema: 1 anomaly; expected none."
    )
    assert run.answer["error"].startswith(f"DataGate: exit code 1: {said}")
    assert not (tmp_path / "bucket" / "chicago-taxi" / "serving").exists()
