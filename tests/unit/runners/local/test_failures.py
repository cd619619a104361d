"""runners.local.failures: what a store is given of any error."""

import pytest

from lineage.facts.failures import read_failure
from runners.local.failures import _kept


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError("half \udcff a sign"), "ValueError: half \\udcff a sign"),
        (ValueError("x" * 1_000_000), "ValueError: " + "x" * 1_988),
        (ValueError("first\n" + "y" * 3_000 + "\nlast"), "ValueError: first"),
    ],
)
def test_a_store_takes_it_and_its_line_is_found(error, told):
    try:
        raise error
    except ValueError as caught:
        text = _kept(caught)
    assert len(text.encode()) <= 16_000
    assert read_failure(text).error == told
    assert read_failure(text).place.startswith("tests/unit/runners/local/test_failures.py:")
