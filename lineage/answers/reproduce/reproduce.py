"""The inputs of a model, as far as recorded: code, settings, data and command.

Called by `cli.lineage.inputs` and `runners.publishing.reproduction`, which runs the command.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from fareline import recorded
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.run import RunRecord
from lineage.facts.payload import DIFFERS, MISSING, SourceFile, check_source_files
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.graph.trace import trace_upstream

SETTINGS_NAME = "settings.yaml"
WORKSPACE_NAME = "reproduced"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The way a model was made.

    Attributes:
        model: The model.
        trainer: The execution that made it; None if the store does not say.
        record: Record of its run about itself.
        files: The source files of all examples that it learned from, compared with the disk.
        metrics: Overall metrics of its first evaluation that recorded any.
        not_recorded: Missing records, in words.
        place: Address of the store, as the graph has it.
    """

    model: Artifact
    trainer: Execution | None
    record: RunRecord
    files: tuple[SourceFile, ...]
    metrics: Mapping[str, float]
    not_recorded: tuple[str, ...]
    place: tuple[str, ...] = ()

    @property
    def settings(self) -> str | None:
        """The settings as YAML that `--config` reads."""
        return self.record.text(recorded.SETTINGS)

    @property
    def changed_files(self) -> list[SourceFile]:
        """Source files that are gone or others now."""
        return [file for file in self.files if file.status in (DIFFERS, MISSING)]

    def text(self, name: str) -> str | None:
        """The run's record under a name of `fareline.recorded`."""
        return self.record.text(name)


def recipe_of(graph: Graph, model: Artifact, hashing: bool = True) -> Recipe:
    """Gathers how a model was made.

    Args:
        graph: Graph with the model.
        model: A Model.
        hashing: Whether the contents of its source files are compared, or their sizes alone.
    """
    producers = graph.producers(model)
    trainer = next((e for e in producers if e.state == "executed"), None)
    record = graph.places.record(trainer.place.run_id) if trainer else RunRecord({})
    files: dict[tuple[str, str], SourceFile] = {}
    for examples in trace_upstream(graph, [model]).artifacts("Examples"):
        for file in check_source_files(examples, hashing):
            files.setdefault((file.path, file.sha256), file)
    metrics = recorded_metrics(graph, model)
    lacking = {
        "the execution that made it": trainer,
        "the settings": record.text(recorded.SETTINGS),
        "the git commit": record.text(recorded.GIT_COMMIT),
        "the fingerprint of the code": record.text(recorded.CODE_FINGERPRINT),
        "the stack and Python": record.text(recorded.STACK),
        "the data files with their SHA-256": files,
        "its metrics": metrics,
    }
    return Recipe(
        model,
        trainer,
        record,
        tuple(files[key] for key in sorted(files)),
        metrics,
        tuple(words for words, found in lacking.items() if not found),
        graph.place,
    )


def recorded_metrics(graph: Graph, model: Artifact) -> Mapping[str, float]:
    """The overall metrics of a model's first evaluation that recorded any."""
    links = graph.links_of_artifacts([model.id])
    # As "baseline_model" it was only compared with, and the metrics are those of another.
    judged = [k.execution_id for k in links if not k.is_output and "model" in k.keys]
    for execution in graph.executions(sorted(judged)):
        for artifacts in graph.outputs(execution).values():
            for artifact in artifacts:
                found = metrics_of(artifact) if artifact.type == "ModelEvaluation" else {}
                if found:
                    return found
    return {}


def commands(recipe: Recipe, overrides: list[str]) -> list[str]:
    """The lines for a shell that make the model again; none without the settings.

    Args:
        recipe: Recipe of the model.
        overrides: For `--set`, such as a destination that must not be published to.
    """
    if recipe.settings is None:
        return []
    asked = ["fareline", "lineage", "reproduce", recipe.model.key]
    lines = [shlex.join([*asked, "--settings-out", SETTINGS_NAME, *recipe.place])]
    commit = recipe.text(recorded.GIT_COMMIT)
    if commit:
        lines.append(f"git checkout {shlex.quote(commit)}")
    words = ["fareline", "run", "--config", SETTINGS_NAME, "--workspace", WORKSPACE_NAME]
    for override in overrides:
        words += ["--set", override]
    return [*lines, shlex.join(words)]


def code_warning(recipe: Recipe, present_fingerprint: str) -> str | None:
    """Returns why the recorded code is missing, or differs from the present code; else None."""
    was = recipe.text(recorded.CODE_FINGERPRINT)
    same = was == present_fingerprint
    if recipe.record.properties.get(recorded.GIT_DIRTY) == 1 and not same:
        return "the checkout differed from the commit, so that the commit is not the whole code"
    if was and not same:
        return f"the present code is another (fingerprint {present_fingerprint[:12]}…)"
    return None


def recipe_as_json(recipe: Recipe, overrides: list[str], warning: str | None) -> dict[str, Any]:
    """The answer, with stable keys; what was not recorded is null."""
    text = recipe.text
    dirty = recipe.record.properties.get(recorded.GIT_DIRTY)
    return {
        "model": recipe.model.key,
        "made_by": recipe.trainer.key if recipe.trainer else None,
        "git_commit": text(recorded.GIT_COMMIT),
        "git_dirty": None if dirty is None else bool(dirty),
        "code_fingerprint": text(recorded.CODE_FINGERPRINT),
        "code_warning": warning,
        "stack": text(recorded.STACK),
        "python": text(recorded.PYTHON),
        "settings_sha256": text(recorded.SETTINGS_SHA256),
        "settings_file": text(recorded.SETTINGS_FILE),
        "overrides": recipe.record.overrides,
        "settings": recipe.settings,
        "files": [dataclasses.asdict(file) for file in recipe.files],
        "metrics": dict(recipe.metrics),
        "not_recorded": list(recipe.not_recorded),
        "commands": commands(recipe, overrides),
    }


@dataclasses.dataclass(frozen=True)
class MetricComparison:
    """One metric of the model and of the one that was made again.

    Attributes:
        name: Name of the metric.
        recorded: Value of the model; None if it has none.
        again: Value of the new one; None if it has none.
        within: Whether they agree.
    """

    name: str
    recorded: float | None
    again: float | None
    within: bool


def compare_metrics(
    before: Mapping[str, float], after: Mapping[str, float], tolerance: float
) -> list[MetricComparison]:
    """Compares metrics by name; a metric on one side only is not within any tolerance.

    Args:
        before: Name to value of the model.
        after: Metrics of the reproduced model.
        tolerance: The largest absolute difference that counts as the same; so does undefined twice.
    """
    compared = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        both = was is not None and now is not None
        within = both and (abs(was - now) <= tolerance or (was != was and now != now))
        compared.append(MetricComparison(name, was, now, within))
    return compared
