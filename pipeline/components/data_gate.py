"""DataGate: stops the run where the data breaks the schema, before anything is trained.

No `from __future__ import annotations`: TFX reads the raw annotations.
"""

import json

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio

from pipeline.decision_artifact import DECISIONS_FILE, DataDecision
from schema.gate import Decision, require_passing


@component
def DataGate(  # noqa: N802 - TFX names the component after the function
    decision: InputArtifact[DataDecision],
) -> None:
    """Fails with one line for each anomaly that is to stop the run; passes if none is."""
    with fileio.open(f"{decision.uri}/{DECISIONS_FILE}", "r") as file:
        require_passing(map(Decision.from_json, json.loads(file.read())))
