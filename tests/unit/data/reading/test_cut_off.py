"""Packed files that are cut off, at any byte: refused by every reader, never fewer rows."""

import gzip
import random

import pytest

from data.reading.packed import require_whole
from data.sources.local_query import LocalQuery, count_rows
from fareline.errors import DataError
from tests.unit.data.reading.test_readers_agree import (
    CASES,
    KINDS,
    query,
    rows_of,
    train,
    write,
)

ROWS = [(number, number * 1.5, f"text {number}", "7", "x") for number in range(3)]
PACKED = [(reader, ending) for reader, ending in CASES if ending.endswith(".gz")]


@pytest.mark.parametrize(("reader", "ending"), PACKED)
def test_a_file_that_is_cut_off_is_refused_wherever_the_cut_is(tmp_path, reader, ending):
    path = write(tmp_path / f"t{ending}", ROWS)
    whole = path.read_bytes()
    assert len(rows_of(reader, path, KINDS)) == len(ROWS)
    step = 1 if reader is train else 5  # every reader is asked what each format is read by
    for length in {*range(0, len(whole), step), *range(len(whole) - 9, len(whole))}:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as refused:
            rows_of(reader, path, KINDS)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value), length


@pytest.mark.parametrize("level", [0, 6])
def test_a_long_file_of_a_query_that_is_cut_off_behind_its_header(tmp_path, level):
    """DuckDB reads such a file without its last rows."""
    dice = random.Random(7)
    lines = "".join(f"{dice.random()},{dice.random()},a,b,x\n" for _ in range(4000))
    whole = gzip.compress((",".join(KINDS) + "\n" + lines).encode(), level)
    path = tmp_path / "t.csv.gz"
    kinds = {**KINDS, "count": "float"}
    for length in (len(whole) - 1, len(whole) - 9, len(whole) * 9 // 10):
        path.write_bytes(whole[:length])
        for read in (
            lambda: rows_of(query, path, kinds),
            lambda: count_rows(LocalQuery("SELECT 1", {"t": [str(path)]})),
        ):
            with pytest.raises(DataError, match="cut off behind .* unpacked bytes"):
                read()


@pytest.mark.parametrize(("reader", "ending"), PACKED)
def test_files_packed_one_behind_the_other_are_read_to_their_end(tmp_path, reader, ending):
    """As `cat a.gz b.gz` makes them, and programs that pack in blocks."""
    path = write(tmp_path / f"t{ending}", ROWS)
    content = gzip.decompress(path.read_bytes())
    for parts in (1, 3):
        size = -(-len(content) // parts)
        path.write_bytes(
            b"".join(
                gzip.compress(content[start : start + size])
                for start in range(0, len(content), size)
            )
        )
        assert len(rows_of(reader, path, KINDS)) == len(ROWS), parts


def _open(path):
    return open(path, "rb")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (gzip.compress(b"abc"), None),
        (gzip.compress(b""), None),
        (gzip.compress(b"abc") + bytes(1 << 21), None),  # zeros that fill up a block
        (gzip.compress(b"abc") + bytes(9) + gzip.compress(b"d"), None),
        (gzip.compress(bytes(5 << 20)), None),
        (gzip.compress(bytes(5 << 20))[:-9], "cut off behind 5,242,880 unpacked bytes"),
        (gzip.compress(b"abc") + gzip.compress(b"d")[:5], "cut off behind 3 unpacked bytes"),
        (gzip.compress(b"abc") + b"more", "damaged behind 3 unpacked bytes"),
        (gzip.compress(b"abc")[:-6] + b"wrong!", "damaged behind .*incorrect data check"),
        (b"", "cut off, or empty"),
        (b"id,name\n", "damaged behind 0 unpacked bytes"),
    ],
    ids=range(11),
)
def test_what_is_whole(tmp_path, content, found):
    path = tmp_path / "t.gz"
    path.write_bytes(content)
    if found is None:
        require_whole(str(path), _open)
    else:
        with pytest.raises(DataError, match=found):
            require_whole(str(path), _open)


def test_of_a_plain_file_nothing_is_asked():
    require_whole("nowhere.csv", _open)
