"""Links without an event in ML Metadata: sealed spans of feedback, and the executions of readers.

An ExampleGen reads files, and records their paths and contents with its Examples. Where such a file
is the rows of a sealed span, the execution has read that artifact, as every walk should know.
"""

import os
from collections.abc import Callable, Sequence

from fareline.recorded import FEEDBACK_SPAN, ROWS_SHA256, SPAN_ROWS_FILE
from fareline.recorded.data import source_files
from lineage.graph.elements import Artifact, Link

_KEY = "feedback"  # name of the input


def links_of_spans(
    of_type: Callable[[str], list[Artifact]], links_of: Callable[[Sequence[int]], list[Link]]
) -> list[Link]:
    """Finds who has read the rows of sealed spans; nothing where the store has no such span.

    Args:
        of_type: Lists the artifacts of a type.
        links_of: Reads the links of artifacts, by their ids.
    """
    spans = {
        (os.path.join(span.uri, SPAN_ROWS_FILE), span.properties.get(ROWS_SHA256)): span.id
        for span in of_type(FEEDBACK_SPAN)
    }
    if not spans:
        return []
    read = {}
    for examples in of_type("Examples"):
        found = {spans.get((file.path, file.sha256)) for file in source_files(examples)} - {None}
        if found:
            read[examples.id] = sorted(found)
    makers = {(k.execution_id, k.artifact_id) for k in links_of(sorted(read)) if k.is_output}
    return [
        Link(span, execution, False, (_KEY,))
        for execution, examples in sorted(makers)
        for span in read[examples]
    ]
