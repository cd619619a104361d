"""Record of a model on Vertex AI, as JSON, with its PushedModel."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from fareline.recorded import VERTEX
from fareline.recorded.texts import Element, read

SCHEME = "vertex://"
SHORT = SCHEME.partition(":")[0]  # what --destination says for the only place there


@dataclasses.dataclass(frozen=True)
class OnVertex:
    """The endpoint after a push, or after a change by hand.

    Attributes:
        target: The setting `push.vertex`, with the ids of model and endpoint.
        version: Version of the model in the registry, to which this happened.
        traffic: Version that is deployed to its percent of the requests.
        artifact_uri: Folder of the uploaded files.
    """

    target: Mapping[str, Any]
    version: int
    traffic: Mapping[str, int]
    artifact_uri: str

    @property
    def live(self) -> int | None:
        """The version that most requests go to; None if none gets any."""
        best = max(self.traffic.items(), key=lambda each: (each[1], int(each[0])), default=None)
        return int(best[0]) if best and best[1] else None


def vertex_base(target: Mapping[str, Any]) -> str:
    """The place above the versions: `vertex://PROJECT/REGION/MODEL`."""
    return f"{SCHEME}{target['project']}/{target['region']}/{target['model']}"


def on_vertex(element: Element) -> OnVertex | None:
    """Reads the record of a PushedModel; None if it is not on Vertex."""
    return read(OnVertex, element, VERTEX)


def on_vertex_text(record: OnVertex) -> str:
    """Writes the record."""
    return json.dumps(dataclasses.asdict(record), sort_keys=True)
