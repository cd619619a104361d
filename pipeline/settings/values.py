"""Types of settings: numbers with ranges, names, addresses of stores, sections.

Called by pipeline.settings.settings and pipeline.settings.evaluation. Imports no TFX and no
TensorFlow.
"""

import datetime
from typing import Annotated, Any

import pydantic
from pydantic import Field

from data.splitting.text_times import EXPECTED, parse_time, time_text
from fareline.errors import UserMistake
from lineage.store.address import parse_address


def _refuse_bool(value: Any) -> Any:
    # In Python true is 1; in a settings file it is a slip.
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _require_server(value: str) -> str:
    try:
        address = parse_address(value)
    except UserMistake as mistake:
        found_and_expected = str(mistake).removesuffix(".").split(": ", 1)[-1]
        raise ValueError(found_and_expected) from mistake
    if not address.is_server:
        # Two runs at once on one file would fail each other; the workspace's own has a lock.
        raise ValueError("expected mysql://… or postgresql://…; null is the workspace's own file")
    return str(address)


def _read_start(value: Any) -> float | str:
    """A number as it is, a day or a time in the one form whose order is that of the times."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, datetime.date):  # as YAML reads them
        value = value.isoformat()
    micros = parse_time(value) if isinstance(value, str) else None
    if micros is None:
        raise ValueError(f"expected a number, or {EXPECTED}")
    return time_text(micros)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")]
Count = Annotated[int, Field(ge=1, strict=True)]
TwoOrMore = Annotated[int, Field(ge=2, strict=True)]
Number = Annotated[float, pydantic.BeforeValidator(_refuse_bool)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Start = Annotated[float | str, pydantic.BeforeValidator(_read_start)]
Range = Annotated[tuple[Number, Number], Field(description="[low, high]")]
Choices = Annotated[list[Count], Field(min_length=1)]
ServerUri = Annotated[str, pydantic.AfterValidator(_require_server)]


class Section(pydantic.BaseModel):
    """A section of the settings: unknown keys are mistakes, and nothing changes after loading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
