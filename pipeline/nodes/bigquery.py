"""BigQuery as a source: arguments and helpers of TFX's BigQueryExampleGen.

Google Cloud's clients are TFX's affair: its component is imported when one is built. Called by
`pipeline.nodes.example_gen`, `pipeline.rules.settings` and `runners`.
"""

from typing import Any

from pipeline.rules.bigquery import project_of
from pipeline.settings.data import BigQuery
from pipeline.settings.runners import Cluster
from pipeline.settings.settings import Settings


def build_big_query_example_gen(source: BigQuery, span: int | None, output_config: Any) -> Any:
    """Builds TFX's component.

    In a cluster nothing runs its driver, which would write the span into the query: that is done
    here.

    Args:
        source: Validated.
        span: Days since 1970-01-01; None where the query names no span.
        output_config: Output config of the splits.
    """
    from tfx.components.example_gen.utils import get_query_for_span
    from tfx.extensions.google_cloud_big_query.example_gen.component import BigQueryExampleGen

    query = source.query if span is None else get_query_for_span(source.query, span)
    return BigQueryExampleGen(query=query, output_config=output_config)


def beam_args(settings: Settings, section: Cluster) -> tuple[str, ...]:
    """Options of Beam by which it exports the rows of a query; none for other sources."""
    project = project_of(settings, section)
    if project is None:
        return ()
    root = section.place_of("pipeline_root", settings.name)
    return (f"--project={project}", f"--temp_location={root}/bigquery")
