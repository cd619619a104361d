"""The section about the run itself: its nodes in time, its failure, versions, settings, digests."""

from fareline import recorded
from fareline.recorded.data import source_files
from lineage.facts.failures import as_json, failure_of
from lineage.facts.runs import command_of, log_command
from report.run.document import NodeTime, Record
from report.run.sources import Sources

_FACTS = {
    recorded.RUNNER: "runner",
    recorded.STACK: "stack",
    recorded.PYTHON: "Python",
    recorded.GIT_COMMIT: "commit",
    recorded.USER: "user",
    recorded.HOST_KIND: "machine",
    recorded.SETTINGS_FILE: "settings file",
    recorded.NOTE: "note",
    recorded.TAGS: "tags",
    recorded.REUSED_RUN: "reuses artifacts of",
}


def gather_record(sources: Sources) -> Record:
    """Reads what the run recorded about itself; in a stock store, the nodes alone."""
    record = sources.record
    facts = {said: text for name, said in _FACTS.items() if (text := record.text(name))}
    if record.text(recorded.GIT_DIRTY) == "1" and "commit" in facts:
        facts["commit"] += ", with changes that were not committed"
    if record.text(recorded.USE_CACHE) == "0":
        facts["cache"] = "not used (--no-cache)"
    return Record(
        nodes=_nodes(sources),
        failures=[
            {
                **as_json(execution, failure),
                "traceback": failure.text,
                "log": log_command(sources.run.run_id, execution.place.node, sources.graph.place),
            }
            for execution in sources.executions
            if (failure := failure_of(execution))
        ],
        facts=facts,
        digests=_digests(sources),
        settings=record.text(recorded.SETTINGS) or "",
        overrides=record.overrides or [],
        command=command_of(record, sources.graph.place),
        packages=record.packages,
        artifacts=[
            {"node": execution.place.node, "key": key, "id": artifact.key, "uri": artifact.uri}
            for execution, key, artifact in sources.outputs
        ],
    )


def _nodes(sources: Sources) -> list[NodeTime]:
    start = sources.run.started
    nodes = [
        NodeTime(e.place.node, e.state, max(0, e.created - start) / 1000, e.seconds)
        for e in sources.executions
    ]
    skipped = [NodeTime(node, "skipped", 0.0, 0.0) for node in sources.run.missing]
    return nodes + skipped


def _digests(sources: Sources) -> dict[str, str]:
    record = sources.record
    found = {
        "code": record.text(recorded.CODE_FINGERPRINT),
        "settings": record.text(recorded.SETTINGS_SHA256),
    }
    for examples in sources.run.examples:
        found["data"] = examples.properties.get(recorded.DATA_SHA256)
        for file in source_files(examples):
            found[file.path] = file.sha256
    for model in sources.run.models:
        found[model.key] = model.properties.get(recorded.SHA256)
    return {name: str(digest) for name, digest in found.items() if digest}
