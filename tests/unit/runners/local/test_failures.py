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


@pytest.mark.parametrize(
    "compiled",
    [
        'File "apache_beam/runners/common.py", line 1674, in apache_beam.runners.common._Output.do',
        'File "pyarrow/error.pxi", line 91, in pyarrow.lib.check_status',
        'File "pandas/_libs/index.pyx", line 138, in pandas._libs.index.IndexEngine.get_loc',
    ],
)
def test_a_frame_of_a_compiled_library_is_no_place(compiled):
    text = f"Traceback (most recent call last):\n  {compiled}\nValueError: five rooms\n"
    assert read_failure(text).place is None
    own = '  File "/home/me/shop/prep.py", line 9, in limit\n'
    assert read_failure(text.replace("  File", f"{own}  File")).place == (
        "/home/me/shop/prep.py:9, in limit"
    )
