"""Reproduces a model: the recorded settings in a fresh workspace, in a separate process.

Called by `fareline lineage reproduce --check`. What to make is
`lineage.answers.reproduce.reproduce`'s business.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fareline import recorded
from fareline.errors import FarelineError, Interrupted, UserMistake
from fareline.packages import CHECKOUT, PACKAGES
from fareline.scratch import keep, scratch_folder
from fareline.start import command_for, offer_packages
from fareline.yaml_text import load_yaml
from lineage.answers.reproduce.reproduce import (
    SETTINGS_NAME,
    Recipe,
    code_warning,
    recorded_metrics,
)
from pipeline.settings.settings import WHOLE
from pipeline.user_code import fingerprint_packages
from runners.provenance import collect_provenance
from runners.stopping import end_child

# Where a run writes to outside of its workspace: not where the model is only being made again.
_OUTSIDE = ("push.destination", "metadata.store")
# With all of them, and the same settings and data, a run gives the same to the last bit.
_MUST_BE_SAME = (
    recorded.CODE_FINGERPRINT,
    recorded.PACKAGES,
    recorded.PYTHON,
    recorded.HOST_KIND,
)
OTHERWISE = 0.01
_COMPLETED = (0, 3)  # published, or refused; either way it was evaluated


class ReproductionFailed(FarelineError, ChildProcessError):
    """The run that was to reproduce the model did not complete."""


def present_fingerprint(recipe: Recipe | None = None) -> str:
    """The fingerprint of the present code, as runs record theirs.

    Args:
        recipe: Recipe with the settings; missing packages of the user are left out.
    """
    own, folder = _own_packages(recipe)
    offer_packages(own, folder)
    return fingerprint_packages((*PACKAGES, *own))


def _own_packages(recipe: Recipe | None) -> tuple[tuple[str, ...], str]:
    """The packages of `code` in the recorded settings that are still there, and their folder."""
    settings = load_yaml((recipe and recipe.settings) or "") or {}
    code = settings.get("code") or {}
    folder = code.get("folder") or ""
    paths = [path for name, path in code.items() if name != "folder" and path]
    packages = dict.fromkeys(path.partition(".")[0] for path in paths)
    return tuple(p for p in packages if (Path(folder) / p / "__init__.py").is_file()), folder


def overrides_for(recipe: Recipe) -> list[str]:
    """Overrides for recorded settings, so that a reproduction publishes or writes nowhere else.

    It reads the data itself, also where the model was trained on data of a pipeline before it.
    """
    settings = load_yaml(recipe.settings or "") or {}
    overrides = [] if settings.get("pipeline", WHOLE) == WHOLE else [f"pipeline={WHOLE}"]
    for name in _OUTSIDE:
        section, _, key = name.partition(".")
        if isinstance(settings.get(section), dict) and settings[section].get(key) is not None:
            overrides.append(f"{name}=null")
    return overrides


def require_reproducible(recipe: Recipe, force: bool) -> None:
    """Refuses changes that would give another model.

    Args:
        recipe: Recipe of the model.
        force: Whether other code or data are taken all the same.

    Raises:
        UserMistake: Settings or metrics are not recorded; or code or data are others.
    """
    key = recipe.model.key
    for missing in ("the settings", "its metrics"):
        if missing in recipe.not_recorded:
            raise UserMistake.explain(
                key,
                f"{missing} were not recorded",
                "expected a model of a run of this project",
                "`fareline lineage reproduce` without --check says what is known",
            )
    if force:
        return
    warning = code_warning(recipe, present_fingerprint(recipe))
    if warning:
        commands = "check out the recorded commit"
        raise UserMistake.explain(
            key, warning, "expected the same code", f"{commands}, or say --force"
        )
    for file in recipe.changed_files:
        raise UserMistake.explain(
            key,
            f"{file.path} {'is gone' if file.status == 'missing' else 'has other content now'}",
            f"expected SHA-256 {file.sha256[:12]}…",
            "restore it, or say --force",
        )


def default_tolerance(recipe: Recipe) -> float:
    """The largest difference of a metric that rounding explains.

    Returns:
        0 where code, data, packages, Python and kind of machine are as the model's run recorded
        them, since runs repeat bit for bit then; else `OTHERWISE`.
    """
    present = dict(collect_provenance(None).properties)
    if _own_packages(recipe)[0]:
        present[recorded.CODE_FINGERPRINT] = present_fingerprint(recipe)
    same = all(present[name] == recipe.text(name) for name in _MUST_BE_SAME)
    return 0.0 if same and not recipe.changed_files else OTHERWISE


def make_again(recipe: Recipe, keep_workspace: bool) -> tuple[Mapping[str, float], Path | None]:
    """Runs the pipeline with the recorded settings; its live table goes to stderr.

    Args:
        recipe: Recipe, checked by `require_reproducible`.
        keep_workspace: Whether the fresh workspace stays when it is done.

    Returns:
        The overall metrics of the new model, and the workspace if it was kept.

    Raises:
        ReproductionFailed: The run failed; the workspace is kept, and named.
        Interrupted: By a signal; the run is interrupted too, and its workspace is kept.
    """
    with scratch_folder("fareline-reproduce-") as folder:
        return _make_again_in(Path(folder), recipe, keep_workspace)


def _make_again_in(
    workspace: Path, recipe: Recipe, keep_workspace: bool
) -> tuple[Mapping[str, float], Path | None]:
    settings = workspace / SETTINGS_NAME
    settings.write_text(recipe.settings or "", encoding="utf-8")
    command = command_for("cli.app", "run", "--json")
    command += ["--config", str(settings), "--workspace", str(workspace)]
    for override in overrides_for(recipe):
        command += ["--set", override]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=CHECKOUT, start_new_session=True
    )
    try:
        answer, _ = process.communicate()
    except KeyboardInterrupt as error:
        end_child(process)
        keep(str(workspace))
        raise Interrupted(f"{recipe.model.key}: interrupted; see {workspace}") from error
    if process.returncode not in _COMPLETED:
        keep(str(workspace))
        raise ReproductionFailed(
            f"{recipe.model.key}: the run that was to make it again ended with exit code "
            f"{process.returncode}; its workspace is kept: {workspace}"
        )
    metrics = _metrics_of_run(workspace, json.loads(answer)["run_id"])
    if keep_workspace:
        keep(str(workspace))
    return metrics, workspace if keep_workspace else None


def _metrics_of_run(workspace: Path, run_id: str) -> Mapping[str, float]:
    from lineage.graph.graph import Graph
    from lineage.ids import find_model
    from lineage.store.open import open_store

    graph = Graph(open_store(workspace / "metadata.db"))
    return recorded_metrics(graph, find_model(graph, run_id))
