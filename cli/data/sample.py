"""`fareline data sample`: the taxi data as a file to try things on."""

from pathlib import Path
from typing import Annotated

from cli.answer import answer
from cli.options import JsonOption, output_option
from fareline.errors import UserMistake

_HINT = "name another place with -o"


def sample(
    output: Annotated[Path, output_option("FILE", "New CSV file.")],
    as_json: JsonOption = False,
) -> None:
    """Write the taxi data, which comes with TFX, as a CSV file of 15,002 rows."""
    from data.taxi import taxi_csv_path
    from fareline.files import require_place, write_bytes

    require_place(output, _HINT)
    if output.exists():
        raise UserMistake.explain(str(output), "already exists", "expected a new file", _HINT)
    content = taxi_csv_path().read_bytes()
    write_bytes(output, content, hint=_HINT)
    rows = content.count(b"\n") - 1
    written = {"output": str(output), "rows": rows, "bytes": len(content)}
    answer(as_json, written, f"{rows:,} rows, {len(content):,} bytes: {output}")
