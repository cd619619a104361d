"""Any table through `fareline init`: settings that load and that a run would take, or one line."""

import csv
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fareline.errors import UserMistake
from pipeline.settings.load import load_settings
from runners.own_data import Asked, propose, read_asked, write
from tests.fuzz.examples import examples

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_NAME = st.one_of(
    _TEXT,
    st.sampled_from(
        ["y", "id", "customer_id", "zip", "a/b", "Ä", "a,b", " a ", "{SPAN}", "no", "yes", "1",
         "~", "a: b", "# a", "- a", "null", "email", "when", "é" * 200, "&a", "*a",
         "{a}", "[a", "'", '"', "data.columns", "label", "overall", "x" * 600]
    ),
)  # fmt: skip
_MISSING = ["", "NA", "?", "-999", " ", "null", "1900-01-01", "n/a"]
_CELL = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(0, 3).map(str),
    st.floats().map(str),
    _TEXT,
    st.sampled_from(
        [*_MISSING, "yes", "no", "0x1", "1,5", "1.5", "00123", "2024-01-31", "True", "1e999",
         "a@b.de", "\n", '"', "\ufeff", "20240131", "1700000000", "-0.0", "\u0661", "1_000"]
    ),
)  # fmt: skip


@st.composite
def _columns(draw, rows):
    """A column of few values, of any, of numbers, or of nothing."""
    values = draw(
        st.one_of(
            st.lists(_CELL, min_size=1, max_size=3),
            st.just([str(i) for i in range(rows)]),
            st.lists(st.floats(-10, 10).map(str), min_size=rows, max_size=rows),
            st.just([""]),
        )
    )
    return [values[draw(st.integers(0, len(values) - 1))] for _ in range(rows)]


@st.composite
def _tables(draw):
    names = draw(st.lists(_NAME, min_size=1, max_size=4))
    rows = draw(st.integers(0, 24))
    columns = [draw(_columns(rows)) for _ in names]
    return names, list(zip(*columns, strict=True))


@pytest.mark.timeout(3600)  # of `make fuzz`
@settings(**examples(40))
@given(
    _tables(),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]),
    st.data(),
)
def test_any_table_becomes_settings_that_load_or_one_line(
    tmp_path_factory, table, separator, encoding, data
):
    names, rows = table
    folder = tmp_path_factory.getbasetemp() / "own"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "table.csv"
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([names, *rows])
    asked = Asked(str(path), None, folder)
    try:
        found, facts = read_asked(asked)
        label = data.draw(st.sampled_from([column.name for column in facts]))
        proposal = propose(asked, found, facts, label, ())
        write(proposal)
    except UserMistake as mistake:
        assert "\n" not in str(mistake), str(mistake)
        assert not asked.settings_path.exists()
        assert not asked.schema_path.exists()
    else:
        settings_ = load_settings(asked.settings_path)
        assert settings_.label.column == label
        lines = asked.settings_path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 60 + len(names)
