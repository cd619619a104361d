"""DataGate: stops the run where the data breaks the schema, before anything is trained.

No `from __future__ import annotations`: TFX reads the raw annotations.
"""

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies

from schema.anomalies import list_anomalies, require_no_anomalies


@component
def DataGate(  # noqa: N802 - TFX names the component after the function
    anomalies: InputArtifact[ExampleAnomalies],
) -> None:
    """Fails with one line per anomaly, over all splits; passes if there is none."""
    found = {}
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        proto = anomalies_pb2.Anomalies()
        path = f"{artifact_utils.get_split_uri([anomalies], split)}/{DEFAULT_FILE_NAME}"
        with fileio.open(path, "rb") as file:
            proto.ParseFromString(file.read())
        found[split] = proto
    require_no_anomalies(list_anomalies(found))
