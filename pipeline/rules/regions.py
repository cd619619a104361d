"""The regions of Vertex AI.

Imports neither TFX nor a Google client.
"""

from collections.abc import Iterator

from fareline.near import guess
from pipeline.settings.runners import Vertex
from pipeline.settings.settings import VertexPush

# Source: SUPPORTED_REGIONS of google.cloud.aiplatform.constants.base, 1.165; Google adds some.
_OF_AREA = {
    "africa": "south1",
    "asia": "east1 east2 northeast1 northeast2 northeast3 south1 south2 southeast1 southeast2",
    "australia": "southeast1 southeast2",
    "europe": "central2 north1 north2 southwest1 west1 west12 west2 west3 west4 west6 west8 west9",
    "me": "central1 central2 west1",
    "northamerica": "northeast1 northeast2",
    "southamerica": "east1 west1",
    "us": "central1 east1 east4 east5 east7 south1 west1 west2 west3 west4 west8",
}
REGIONS = tuple(f"{area}-{place}" for area, places in _OF_AREA.items() for place in places.split())


def find_unknown_region(section: Vertex | VertexPush, where: str) -> Iterator[str]:
    """A region is one of Vertex AI; of a newer one, the settings name the address.

    Args:
        section: Part of the settings with `region` and `api_endpoint`.
        where: Dotted key of that part.
    """
    if section.api_endpoint is None and section.region not in REGIONS:
        yield (
            f"{where}.region: found {section.region}; expected a region of Vertex AI. Hint: "
            f"{guess(section.region, REGIONS)}for one that is newer than this version, set "
            f"{where}.api_endpoint to https://{section.region}-aiplatform.googleapis.com."
        )
