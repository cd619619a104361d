"""Every lineage question to a store that stock TFX wrote: nothing of ours has recorded anything."""

import base64
import json
import os
import re
import sys
import zlib
from pathlib import Path

import pandas as pd
import pytest

from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT
from tests.e2e.conftest import fareline_command
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A folder with two runs of a stock pipeline; the second was cached."""
    folder = tmp_path_factory.mktemp("stock")
    (folder / "data").mkdir()
    trips = pd.read_csv(taxi_csv_path(), dtype=str).sample(200, random_state=7)
    trips.to_csv(folder / "data" / "trips.csv", index=False)
    # Its folder is on the path, where Trainer finds the function by its name; this project is not.
    script = CHECKOUT / "tests" / "stores" / "stock_pipeline.py"
    done = run_forked(
        [sys.executable, "-m", script.stem, folder],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(script.parent)},
    )
    assert (folder / "metadata.db").is_file(), done.stderr
    return folder


def ask(folder, *words, code=0):
    """The answer of a command as JSON."""
    store = ("--store", f"sqlite:{folder / 'metadata.db'}")
    as_json = () if "export" in words else ("--json",)
    done = run_forked(**fareline_command("lineage", *words, *store, *as_json))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def dump(stock):
    return ask(stock, "export", "--format", "json", "--all")


def test_export_holds_both_runs(dump):
    nodes = ["CsvExampleGen", "StatisticsGen", "SchemaGen", "Trainer", "Pusher"]
    assert [e["node"] for e in dump["executions"]] == nodes * 2
    assert [e["state"] for e in dump["executions"]] == ["executed"] * 5 + ["cached"] * 5
    assert sorted(a["type"] for a in dump["artifacts"]) == [
        "ExampleStatistics",
        "Examples",
        "Model",
        "ModelRun",
        "PushedModel",
        "Schema",
    ]
    assert dump["pipelines"] == ["stock"]
    assert [run["properties"] for run in dump["runs"]] == [{}, {}]


def test_runs(stock, dump):
    latest, first = ask(stock, "runs")
    assert [latest["run_id"], first["run_id"]] == [run["id"] for run in reversed(dump["runs"])]
    assert [node["state"] for node in latest["nodes"]] == ["cached"] * 5
    assert {latest["pipeline"], first["pipeline"]} == {"stock"}


def test_upstream_of_the_live_model_goes_down_to_the_examples(stock, dump):
    first = dump["runs"][0]["id"]
    found = ask(stock, "upstream", "live")
    ids = [node["id"] for node in found["nodes"]]
    assert ids[0].startswith("PushedModel:")
    assert {
        f"{node}@{first}" for node in ("Pusher", "Trainer", "SchemaGen", "CsvExampleGen")
    } <= set(ids)
    assert any(i.startswith("Examples:") for i in ids)


def test_impact_of_the_file_that_was_read(stock):
    text = json.dumps(ask(stock, "impact", stock / "data" / "trips.csv"))
    assert "Model:" in text
    assert str(stock / "serving") in text


def test_show_says_what_a_model_is_and_what_is_not_recorded(stock, dump):
    [model] = [a for a in dump["artifacts"] if a["type"] == "Model"]
    shown = ask(stock, "show", model["key"])
    assert shown["id"] == model["key"]
    assert shown["uri"] == model["uri"]


def test_verify_finds_a_payload_that_is_gone(stock, dump):
    assert ask(stock, "verify")["errors"] == 0
    [schema] = [a for a in dump["artifacts"] if a["type"] == "Schema"]
    folder = Path(schema["uri"])
    folder.rename(folder.with_name("away"))
    try:
        found = ask(stock, "verify", code=3)
    finally:
        folder.with_name("away").rename(folder)
    assert found["errors"] == 1
    assert schema["key"] in json.dumps(found["findings"])


def test_models_and_diff_do_not_guess(stock, dump):
    [model] = ask(stock, "models")["models"]
    assert not model["metrics"]
    first, second = (run["id"] for run in dump["runs"])
    assert ask(stock, "diff", first, second)["differs"] == []


@pytest.mark.parametrize("kind", ["dot", "mermaid", "openlineage", "html"])
def test_exports_of_every_format(stock, tmp_path, kind):
    out = tmp_path / "out"
    call = fareline_command(
        "lineage", "export", "--format", kind, "-o", out, "--store", stock / "metadata.db"
    )
    done = run_forked(**call)
    assert done.returncode == 0, done.stderr
    text = out.read_text(encoding="utf-8")
    if kind == "html":  # its data is deflated
        packed = max(re.findall(r"[A-Za-z0-9+/]{500,}={0,2}", text), key=len)
        text = zlib.decompress(base64.b64decode(packed)).decode()
    assert "CsvExampleGen" in text


def test_the_page_of_a_run(stock, dump, tmp_path):
    """Of either run, the cached one too: data is there, and what is not is said."""
    path = stock / "data" / "trips.csv"
    rows = pd.read_csv(path)
    for run in dump["runs"]:
        page = tmp_path / "page.html"
        call = fareline_command(
            "report", run["id"], "--json", "-o", page, "--store", stock / "metadata.db"
        )
        done = run_forked(**call)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        columns = {column["name"]: column for column in told["data"]["columns"]}
        assert set(columns) == set(rows.columns)
        splits = columns["fare"]["splits"]
        total = sum(split["mean"] * split["count"] for split in splits.values())
        assert total == pytest.approx(rows["fare"].sum(), rel=1e-6)
        assert sum(told["data"]["splits"].values()) == len(rows)
        assert set(told["absent"]) == {"features", "evaluation", "serving"}
        assert told["absent"]["evaluation"] == "The run has no evaluation (ModelEvaluation)."
        assert "Code, settings and packages were not recorded" in page.read_text()
