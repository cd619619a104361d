"""One quarantine: what is written of bad rows, and the share of them that stops the work."""

import contextlib
import json

import pytest

from data.reading.rows import BadRow
from data.reading.values import Fault
from data.writing.quarantine import Quarantine, TooManyBadRows, is_too_many, require_few_bad


@pytest.mark.parametrize("rows", [7, 100, 1_000])
def test_a_share_that_is_the_limit_as_it_is_written_is_not_too_much(rows):
    """Also where `limit * rows` is less than the number of bad rows: 0.29 * 100 < 29."""
    for bad in range(rows):
        assert not is_too_many(bad, rows, bad / rows)

        assert is_too_many(bad + 1, rows, bad / rows)
    assert 0.29 * 100 < 29
    assert not is_too_many(0, 0, 0.0)


def test_a_file_is_made_with_the_first_bad_row_and_stays_whatever_happens(tmp_path):
    opened = []

    @contextlib.contextmanager
    def open_file():
        with (tmp_path / "bad.jsonl").open("w") as file:
            opened.append(file)
            yield file

    with pytest.raises(ZeroDivisionError), Quarantine("t.csv", open_file) as quarantine:
        quarantine.take([])
        assert not opened
        for line in range(2, 9):
            fault = Fault("not_a_number", "x: " + "9" * 500)
            quarantine.take([BadRow(line, fault, {"x": b"\xff"})])
        raise ZeroDivisionError
    assert opened[0].closed
    lines = [json.loads(line) for line in (tmp_path / "bad.jsonl").open()]
    assert [line["line"] for line in lines] == [*range(2, 9)]
    assert lines[0] == {
        "source": "t.csv",
        "line": 2,
        "reason": "not_a_number",
        "message": "x: " + "9" * 500,
        "row": {"x": "b'\\xff'"},
    }
    assert (quarantine.bad, quarantine.reasons, len(quarantine.first)) == (
        7,
        {"not_a_number": 7},
        5,
    )
    with pytest.raises(TooManyBadRows) as stopped:
        require_few_bad(
            700, quarantine.reasons, quarantine.first, 0.0099, ("t.csv", "; nothing", "see it")
        )
    said, *first = str(stopped.value).split("\n")
    assert said == (
        "t.csv: 7 of 700 rows cannot be read (1.00%: not_a_number 7); expected at most 0.99%; "
        "nothing. Hint: see it."
    )
    assert first == [f"  t.csv, line {line}: x: {'9' * 197}" for line in range(2, 7)]
    require_few_bad(700, quarantine.reasons, quarantine.first, 0.01, ("t.csv", "", ""))
