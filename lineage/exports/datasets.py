"""Artifacts and source files as OpenLineage datasets. Called by `lineage.exports.openlineage`."""

import re
from collections.abc import Sequence
from typing import Any

from openlineage.client import facet_v2

from fareline.recorded import DATA_SHA256, SHA256
from fareline.recorded.data import source_files
from lineage.graph.elements import Artifact, Execution

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>.*)", re.S)
_BUCKETS = ("gs", "s3")  # whose keys have no slash in front
_NO_URI = "mlmd"  # namespace of artifacts without payload, which are named by their id
_INPUT_BASE = "input_base"  # the property in which TFX's file based ExampleGens keep their folder


def artifact_dataset(artifact: Artifact) -> dict[str, Any]:
    """Arguments of a dataset.

    Its version is the SHA-256 that our pipelines record, or else the artifact's printable id.
    """
    properties = artifact.properties
    version = properties.get(SHA256) or properties.get(DATA_SHA256) or artifact.key
    kind = "MODEL" if artifact.type in ("Model", "PushedModel") else "FILE"
    name = dataset_name(artifact.uri) if artifact.uri else (_NO_URI, artifact.key)
    facets = _facets(artifact.uri or artifact.key, str(version))
    facets["datasetType"] = facet_v2.dataset_type_dataset.DatasetTypeDatasetFacet(
        kind, subType=artifact.type
    )
    return {"namespace": name[0], "name": name[1], "facets": facets}


def source_datasets(execution: Execution, written: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Arguments of the datasets that an execution read and that are no artifacts.

    Args:
        execution: An ExampleGen has some.
        written: Its outputs. Our own pipelines record the source files there; in a stock store
            only the folder is known.
    """
    recorded = {file.path: file.sha256 for a in written for file in source_files(a)}
    if execution.state == "cached":  # it read nothing: the one whose outputs it took did
        recorded = {}
    elif not recorded and (folder := execution.properties.get(_INPUT_BASE)):
        recorded = {str(folder): ""}
    datasets = []
    for path, sha256 in recorded.items():
        namespace, name = dataset_name(path)
        datasets.append({"namespace": namespace, "name": name, "facets": _facets(path, sha256)})
    return datasets


def dataset_name(uri: str) -> tuple[str, str]:
    """Namespace and name of a path or URI, by OpenLineage's rules.

    Args:
        uri: Such as `/data/taxi`, `file:///data/taxi`, `gs://bucket/key`.

    Returns:
        Such as `("file", "/data/taxi")`, `("gs://bucket", "key")`.
    """
    match = _URI.fullmatch(uri)
    if not match or match["scheme"] == "file":
        return "file", match["path"] if match else uri
    path = match["path"] or "/"
    if match["scheme"] in _BUCKETS:
        path = path.lstrip("/") or "/"
    return f"{match['scheme']}://{match['authority']}", path


def _facets(uri: str, version: str) -> dict[str, facet_v2.DatasetFacet]:
    facets: dict[str, facet_v2.DatasetFacet] = {
        "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet(uri=_as_uri(uri))
    }
    if version:
        facets["version"] = facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(version)
    return facets


def _as_uri(place: str) -> str:
    """A path as a URI; what is one already stays."""
    from urllib.parse import quote

    if _URI.fullmatch(place):
        return quote(place, safe="/:@%+~=&;,!$'()*?#[]")
    return f"file://{quote(place)}" if place.startswith("/") else quote(place)
