"""Writes the page of a run: one HTML file with its styles, scripts and pictures in it.

Jinja2 fills the templates in `web/`, with everything escaped that is not made here. The policy in
the page is that of `report.page`: no network, no script but its own.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from lineage.text.times import clock, clock_of, duration, size
from report.page import as_data, page_head, read_web
from report.run import charts, figures, watched
from report.run.document import Document, Evaluation
from report.run.gather import name_of_run

_PACKAGE = "report.run"
_ICON = "<path d='M2 14V8M6 14V3M10 14v-4M14 14V6' stroke='#5b7fe0' stroke-width='3'/>"
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGITS = 12
_LONGEST = 160
_MOST_COLUMNS = 6  # among the pictures of an artifact
_NOTHING = "\N{EN DASH}"
SECTIONS = {
    "verdict": "Verdict",
    "data": "Data",
    "features": "Features",
    "training": "Search and training",
    "evaluation": "Evaluation",
    "serving": "Serving",
    "record": "Run",
    "card": "Model card",
}


@dataclasses.dataclass(frozen=True)
class Served:
    """Content that a server adds to a page that it shows among others.

    Attributes:
        mark: Mark of the store as it was read; empty where the page cannot change any more.
        logs: The end of the log of each node that failed.
    """

    mark: str = ""
    logs: Mapping[str, str] = dataclasses.field(default_factory=dict)


def report_page(document: Document, served: Served | None = None) -> str:
    """The page of a run; the same document gives the same bytes.

    Args:
        document: Document of the run.
        served: Where a server shows it; None: a file by itself.
    """
    name = name_of_run(document)
    return _render("page.html", served, document=document, name=name, sections=SECTIONS)


def compare_page(
    a: Document, b: Document, changes: Mapping[str, list], served: Served | None = None
) -> str:
    """Two runs side by side.

    Args:
        a: The one.
        b: The other.
        changes: Differences by group: path, in a, in b.
        served: See `report_page`.
    """
    name = f"{a.run_id} and {b.run_id}"
    return _render("compare.html", served, a=a, b=b, changes=changes, name=name)


def picture_page(
    document: Document, kind: str, section: str, name: str, served: Served | None = None
) -> str:
    """The pictures of one artifact of a run, by themselves.

    Args:
        document: Document of the run.
        kind: Type of the artifact.
        section: Section of the page, where its pictures are whole.
        name: Name of the artifact, for the title.
        served: See `report_page`.
    """
    return _render(
        "pictures.html", served,
        document=document, kind=kind, section=section, name=name, most=_MOST_COLUMNS,
    )  # fmt: skip


def monitoring_page(pipeline: str, content: Mapping[str, Any], blind: str) -> str:
    """The page of a live model that is watched.

    Args:
        pipeline: Its name.
        content: Answer of `fareline monitor --json`.
        blind: Sentence about undetectable changes; may be empty.
    """
    name = f"{pipeline}, version {content['version']}"
    values = {"pipeline": pipeline, "content": content, "blind": blind, "name": name}
    return _render("monitoring.html", None, watched=watched, **values)


def _render(template: str, served: Served | None, **values: Any) -> str:
    styles = [read_web(_PACKAGE, "run.css")]
    scripts = [read_web(_PACKAGE, "run.js")]
    return (
        _environment()
        .get_template(template)
        .render(
            head=page_head(values["name"], _ICON, styles, scripts, served is not None),
            served=served,
            # Ours, and hashed as they are.
            scripts=[Markup(script) for script in scripts],
            **values,
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: read_web(_PACKAGE, name)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "value": value_in_words,
        "clock": clock_of,
        "at": clock,
        "duration": duration,
        "size": size,
        "data": as_data,
        "words": lambda text: str(text).replace("_", " "),
    }
    environment.globals |= {"figures": figures, "charts": charts, "operating": operating_data}
    return environment


def number(value: Any) -> str:
    """A number with four digits that count or all before the point; whole ones with commas."""
    if value is None:
        return _NOTHING
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1e6:
        return f"{value:,.0f}"
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e4 else f"{value:,.1f}"


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return _NOTHING if share is None else f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def value_in_words(value: Any) -> str:
    """Any value of the store, cut where it is too long; digests by their first digits."""
    if value is None:
        return _NOTHING
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, list | tuple):
        value = ", ".join(map(value_in_words, value))
    text = str(value)
    if _DIGEST.fullmatch(text):
        return f"{text[:_DIGITS]}…"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def operating_data(evaluation: Evaluation, place: int) -> dict[str, Any]:
    """Data for the moving threshold, of the candidate."""
    found = evaluation.candidate.operating[place]
    return {
        "thresholds": found.thresholds,
        "tp": found.true_positives,
        "fp": found.false_positives,
        "positives": found.positives,
        "negatives": found.negatives,
    }
