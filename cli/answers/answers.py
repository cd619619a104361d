"""The type and the JSON schema of each command's JSON answer.

Called by docs/site/reference.py and by tests, which check real answers; commands do not import it.
The answers themselves are made where the question is answered.
"""

from typing import Any

from pydantic import TypeAdapter

from cli.answers import clusters, data, inspect, lineage, models, runs
from report.run.compare import Comparison
from report.run.document import Document

ANSWERS: dict[str, Any] = {
    "baseline pin": models.Decision,
    "baseline reset": models.Decision,
    "baseline show": models.Baseline,
    "baseline unpin": models.Decision,
    "check": runs.Check,
    "compile": clusters.Compiled,
    "data generate": data.Generated,
    "data query": data.Query,
    "data sample": data.Sample,
    "data spans": data.Spans,
    "doctor": inspect.Doctor,
    "export": clusters.Exported,
    "feedback add": data.OutcomesAdded,
    "feedback build": data.FeedbackBuilt,
    "feedback erase": data.Erased,
    "feedback log": list[data.LogFile],
    "init": data.Proposed | data.CodeWritten,
    "lineage diff": lineage.Diff,
    "lineage downstream": lineage.Chain,
    "lineage explain-cache": lineage.CacheExplained,
    "lineage export": lineage.Exported | lineage.Dump,
    "lineage impact": lineage.Impact,
    "lineage inputs": lineage.Inputs,
    "lineage models": models.Models,
    "lineage path": lineage.Paths,
    "lineage prune": lineage.Pruned,
    "lineage reproduce": lineage.Recipe | lineage.Compared,
    "lineage runs": list[runs.Run],
    "lineage show": lineage.Artifact | lineage.Execution | lineage.RunShown | lineage.Pipeline,
    "lineage ui": inspect.Served,
    "lineage upstream": lineage.Chain,
    "lineage verify": lineage.Verified,
    "logs": runs.Log,
    "loop": models.LoopPassed,
    "models": models.Models,
    "monitor": models.Monitored,
    "predict": models.Predicted,
    "promote": models.Changed | models.ChangedOnVertex,
    "report": Document | Comparison,
    "rollback": models.Changed | models.ChangedOnVertex,
    "run": runs.Outcome | runs.RunPlan,
    "runs": list[runs.Run],
    "schema accept": data.SchemaAccepted | data.NothingAccepted,
    "schema check": data.SchemaChecked,
    "schema diff": data.SchemaReviewed | data.SchemaVersions,
    "schema infer": data.SchemaInferred,
    "schema log": data.SchemaLog,
    "schema propose": data.SchemaProposed,
    "settings": dict[str, Any],  # docs: the page of all settings
    "status": runs.Status,
    "step begin": runs.StepBegun,
    "step end": runs.Outcome,
    "step graph": runs.StepGraph,
    "step run": runs.StepRun,
    "submit": clusters.Submitted | clusters.Followed | clusters.Cancelling | clusters.DryRun,
    "ui": inspect.Served,
    "undeploy": models.ChangedOnVertex,
    "why": runs.Why,
}


def schema_of(command: str) -> dict[str, Any]:
    """The JSON schema of a command's answer.

    Args:
        command: Its words, such as `lineage diff`.
    """
    schema = TypeAdapter(ANSWERS[command]).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def require_as_declared(command: str, text: str) -> None:
    """Checks an answer against the type of its command.

    Args:
        command: Its words.
        text: The JSON that it printed.

    Raises:
        ValueError: A key is missing, unknown or of another type.
    """
    TypeAdapter(ANSWERS[command]).validate_json(text, strict=True)
