"""Outputs and records of a run, for the sections of its page.

Artifacts are found by their types, so that stock pipelines whose nodes have other names are read
as well.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

import yaml

from fareline import recorded
from fareline.recorded.run import RunRecord
from fareline.yaml_text import load_yaml
from lineage.facts.payload_contents import Unreadable, folder_of
from lineage.facts.runs import Run, read_runs
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from preprocessing.labels import Label, parse_label


class Sources:
    """One run of a store.

    Args:
        graph: Lineage graph of the store.
        run_id: Id of the run.
    """

    def __init__(self, graph: Graph, run_id: str):
        self.graph, self.run_id = graph, run_id
        self.executions: list[Execution] = graph.executions_of_run(run_id)
        self.record: RunRecord = graph.places.record(run_id)
        self._outputs: list[tuple[Execution, str, Artifact]] = [
            (execution, key, artifact)
            for execution in self.executions
            for key, artifacts in graph.outputs(execution).items()
            for artifact in artifacts
        ]

    @functools.cached_property
    def run(self) -> Run:
        """The run as `lineage runs` has it."""
        [run] = read_runs(self.graph, [self.run_id])
        return run

    @property
    def outputs(self) -> list[tuple[Execution, str, Artifact]]:
        """All outputs of nodes, cached ones too, with node and key."""
        return self._outputs

    def last(self, kind: str, key: str | None = None) -> Artifact | None:
        """The last artifact of a type and an output key; None without one.

        Args:
            kind: The type's last word: ours have our package before it.
            key: Key of the output; None: any.
        """
        found = [
            a for _, k, a in self._outputs if a.type.rpartition(".")[2] == kind and key in (None, k)
        ]
        return found[-1] if found else None

    def maker(self, artifact: Artifact) -> Execution | None:
        """The execution of this run that output an artifact; None if another run made it."""
        found = [execution for execution, _, a in self._outputs if a == artifact]
        return found[-1] if found else None

    def origin(self, artifact: Artifact) -> Execution | None:
        """The execution that made an artifact, in whatever run."""
        made = [e for e in self.graph.producers(artifact) if e.state == "executed"]
        return made[0] if made else self.maker(artifact)

    @functools.cached_property
    def settings(self) -> Mapping[str, Any]:
        """The recorded settings; empty in a stock store."""
        try:
            content = load_yaml(self.record.text(recorded.SETTINGS) or "")
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the settings; empty if it is not recorded."""
        section = self.settings.get(name)
        return section if isinstance(section, dict) else {}

    @functools.cached_property
    def label(self) -> Label | None:
        """The rule by which rows have a label; None if it is not recorded."""
        try:
            return parse_label(self.section("label"), str(self.settings.get("task", "")))
        except (KeyError, TypeError, ValueError):
            return None

    @functools.cached_property
    def private_columns(self) -> frozenset[str]:
        """Columns of which no value is shown: those of persons, and those that no log may hold."""
        columns = self.section("data").get("columns")
        personal = (
            name
            for name, how in (columns.items() if isinstance(columns, dict) else ())
            if isinstance(how, dict) and how.get("pii")
        )
        unlogged = self.section("serving").get("log_exclude")
        return frozenset([*personal, *(unlogged if isinstance(unlogged, list) else ())])

    def why_absent(self, what: str, kind: str) -> str:
        """Why there is no artifact of a type, in a sentence.

        Args:
            what: Name of the content, such as `statistics` or `a model`.
            kind: Type of the artifact.
        """
        failed = [e.place.node for e in self.executions if e.state == "failed"]
        if failed:
            return f"The run ended with {failed[0]} before it had {what}."
        return f"The run has no {what.removeprefix('a ').removeprefix('an ')} ({kind})."


def read_payload(artifact: Artifact, name: str) -> str:
    """Reads a text file of an artifact.

    Raises:
        Unreadable: The file does not exist, or is not on this machine.
    """
    path = folder_of(artifact) / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{artifact.key}: there is no {name} at {artifact.uri}") from error


def read_json(artifact: Artifact, name: str) -> Any:
    """Reads a JSON file of an artifact.

    Raises:
        Unreadable: The file does not exist, is not on this machine, or is not JSON.
    """
    try:
        return json.loads(read_payload(artifact, name))
    except ValueError as error:
        raise Unreadable(f"{artifact.key}: {name} is not JSON") from error
