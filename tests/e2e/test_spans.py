"""Runs over spans: the latest, a chosen one, a window of several; and which models they reached.

Their rows have two personal columns: nothing that these whole runs leave holds a value of either.
"""

import json
from pathlib import Path

import pytest

from data.privacy import pseudonym
from runners.pii_key import KEY_VARIABLE
from tests.e2e.conftest import FEW, SMALL, fareline_command, run_fareline
from tests.forked import run_forked
from tests.left_files import everything_below

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
KEY = "a key that these runs are given 1234567"
COMPANY = "Taxi Affiliation Services"  # of a third of the rows
PERSONAL = "{passenger_mail: {pii: true}, company: {pii: true, pseudonymize: true}}"


def fareline(*arguments):
    done = run_forked(**fareline_command(*arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def years(tmp_path_factory):
    """Four spans of generated rows, 2013 to 2016; of 2015 there are two versions."""
    folder = tmp_path_factory.mktemp("years")
    fareline("data", "generate", "--rows", "4000", "-o", folder / "rows", "--json")
    [rows] = (folder / "rows").glob("*.csv")
    header, *lines = rows.read_text().splitlines()
    lines = [f"{line},planted.mail{i}@example.org" for i, line in enumerate(lines)]
    rows.write_text("\n".join([f"{header},passenger_mail", *lines]) + "\n")
    cut = ("data", "spans", "--by", "year", "--from", folder / "rows", "-o", folder / "spans")
    listing = fareline(*cut, "--json")
    newer = folder / "spans" / "span-3" / "version-2"
    newer.mkdir()
    lines = (folder / "spans" / "span-3" / "version-1" / "rows.csv").read_text().splitlines()
    (newer / "rows.csv").write_text("\n".join(lines[:501]) + "\n")
    return folder / "spans", {span["span"]: span["rows"] for span in listing["spans"]} | {3: 500}


@pytest.fixture(scope="module")
def settings(years):
    source = f"data.source.csv={years[0]}/span-{{SPAN}}/version-{{VERSION}}/*.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, KEY)
        # The curated schema names companies, and not their pseudonyms.
        # Nor is a pseudonym a feature, since requests have the value itself.
        yield (source, f"data.columns={PERSONAL}", "schema=null", *SMALL, FEW)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("spans") / "workspace"


@pytest.fixture(scope="module")
def early(workspace, settings):
    """The spans 1 and 2."""
    window = "data.window=2"
    return run_fareline(workspace, *settings, window, arguments=("--span", "2"))


@pytest.fixture(scope="module")
def late(early, workspace, settings):
    """The spans 2, 3 and 4, as the latest three."""
    return run_fareline(workspace, *settings, "data.window=3")


def impact(workspace, span):
    """The runs of the models that learned from a span; others were compared with these only."""
    answer = fareline("lineage", "impact", f"span:{span}", "--workspace", workspace, "--json")
    return {model["run"] for model in answer["models"] if model["learned"]}


def test_every_span_of_a_window_names_the_models_that_learned_from_it(early, late, workspace):
    for run in (early, late):
        assert run.exit_code in (0, 3), run.stderr
    runs = {name: run.answer["run_id"] for name, run in (("e", early), ("l", late))}
    found = {span: impact(workspace, span) for span in (1, 2, 3, 4)}
    assert found == {
        1: {runs["e"]},
        2: {runs["e"], runs["l"]},
        3: {runs["l"]},
        4: {runs["l"]},
    }


def test_the_versions_of_the_spans_are_recorded(late, workspace):
    shown = [
        fareline("lineage", "show", example["id"], "--workspace", workspace, "--json")
        for run in fareline("lineage", "runs", "--workspace", workspace, "--json")
        for example in run["examples"]
    ]
    listed = [
        [(each["span"], each["version"]) for each in run["examples"]["spans"]] for run in shown
    ]
    assert sorted(listed) == [[(1, 1), (2, 1)], [(2, 1), (3, 2), (4, 1)]]


def test_the_rows_are_those_of_the_spans(late, workspace, years):
    import tensorflow as tf

    _, rows = years
    [example] = [
        example
        for run in fareline("lineage", "runs", "--workspace", workspace, "--json")
        for example in run["examples"]
        if run["run_id"] == late.answer["run_id"]
    ]
    shown = fareline("lineage", "show", example["id"], "--workspace", workspace, "--json")
    examples = Path(shown["uri"])
    files = [str(path) for path in examples.glob("Split-*/*.gz")]
    count = sum(1 for _ in tf.data.TFRecordDataset(files, "GZIP"))
    assert count == rows[2] + rows[3] + rows[4]


def test_nothing_that_the_runs_leave_holds_a_personal_value(early, late, workspace, years):
    personal = [b"planted.mail", COMPANY.encode(), KEY.encode()]
    source = b"".join(path.read_bytes() for path in years[0].rglob("*.csv"))
    assert [text in source for text in personal] == [True, True, False]
    files = list(everything_below(workspace))
    leaks = [(str(path), text) for path, content in files for text in personal if text in content]
    assert leaks == []
    for run in (early, late):
        told = (json.dumps(run.answer) + run.stderr).encode()
        assert not [text for text in personal if text in told]
    # It was looked for where it would be: there the pseudonym is.
    expected = pseudonym(COMPANY.encode(), KEY.encode())
    places = {
        path.relative_to(workspace).parts[1] for path, content in files if expected in content
    }
    assert {"ExampleGen", "StatisticsGen", "SchemaGen", "Transform"} <= places


def test_the_same_window_again_executes_nothing(late, workspace, settings):
    again = run_fareline(workspace, *settings, "data.window=2", arguments=("--span", "2"))
    assert "ExampleGen" in again.nodes_in("cached")


def test_a_span_that_is_not_there_starts_nothing(workspace, settings):
    done = run_fareline(workspace, *settings, arguments=("--span", "9"))
    assert done.exit_code == 2
    assert done.stderr.endswith(
        ", span 9: is not there; expected one of 1 to 4. Hint: name one of these with "
        "data.span, or leave it out for the latest.\n"
    )
