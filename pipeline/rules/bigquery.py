"""Rules for BigQuery as a source."""

from collections.abc import Iterator

from pipeline.settings.runners import Cluster, Vertex
from pipeline.settings.settings import Settings

# What TFX's utilities replace in a query by the beginning and the end of a span, which is a day.
SPAN_PARAMETERS = ("@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc")


def names_span(query: str) -> bool:
    """Whether a query is about one span."""
    return any(name in query for name in SPAN_PARAMETERS)


def project_of(settings: Settings, section: Cluster) -> str | None:
    """The project that pays for the query; None if not set."""
    source = settings.data.source.bigquery
    if source is None:
        return None
    return source.project or (section.project if isinstance(section, Vertex) else None)


def find_span_mistakes(settings: Settings) -> Iterator[str]:
    """A query to BigQuery about a span says which one: TFX finds no latest there."""
    source = settings.data.source.bigquery
    if source is None:
        return
    if names_span(source.query) and settings.data.span is None:
        yield (
            "data.span: not set, and data.source.bigquery.query names a span; expected days since "
            "1970-01-01, since BigQuery has no latest span. Hint: add --set data.span=N."
        )


def find_project_mistakes(settings: Settings, section: Cluster, where: str) -> Iterator[str]:
    """One project is known, and it is the one that Dataflow runs in as well."""
    source = settings.data.source.bigquery
    if source is None:
        return
    if project_of(settings, section) is None:
        yield (
            "data.source.bigquery.project: missing; expected the project that pays for the query, "
            f"since {where} names none. Hint: set it to the id of a project."
        )
        return
    on_dataflow = isinstance(section, Vertex) and section.beam == "dataflow"
    if on_dataflow and source.project not in (None, section.project):
        yield (
            f"data.source.bigquery.project: found {source.project}; expected {section.project}, "
            "since Beam has one project for the query and for Dataflow. Hint: leave it out, or set "
            "runners.vertex.beam: in_container."
        )
