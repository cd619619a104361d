"""`fareline export`: from settings to the file of an orchestrator."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fareline.errors import SettingsError, UserMistake
from fareline.near import guess
from pipeline.settings.running.cron import require_cron
from pipeline.settings.settings import Settings
from runners.orchestrators.airflow import airflow_file
from runners.orchestrators.argo import argo_file, argo_options
from runners.orchestrators.celery import celery_file
from runners.orchestrators.luigi import luigi_file
from runners.orchestrators.plan import Plan

ORCHESTRATORS: Mapping[str, Callable[[Plan], str]] = {
    "airflow": airflow_file,
    "argo": argo_file,
    "luigi": luigi_file,
    "celery": celery_file,
}
SUFFIXES = {"argo": (".yaml", ".yml")}


def require_export(name: str, output: Path, cron: str | None) -> None:
    """Refuses what cannot be written, before anything is compiled.

    Raises:
        UserMistake: Unknown orchestrator, a name of another format, or no schedule.
    """
    if name not in ORCHESTRATORS:
        raise UserMistake.explain(
            "fareline export",
            f"found {name}",
            f"expected one of {', '.join(ORCHESTRATORS)}",
            f"{guess(name, ORCHESTRATORS)}`fareline compile` is for Kubeflow and Vertex",
        )
    expected = SUFFIXES.get(name, (".py",))
    if output.suffix not in expected:
        raise UserMistake.explain(
            str(output),
            f"its name ends in {output.suffix or 'nothing'}",
            f"expected {expected[0]}",
            f"name it {output.with_suffix(expected[0]).name}",
        )
    if cron is None:
        return
    try:
        require_cron(cron)
    except ValueError as error:
        raise UserMistake.explain(
            "--cron", f"found {cron}", str(error), "see `man 5 crontab`"
        ) from error


def console_script() -> str:
    """Absolute path of the `fareline` script of this interpreter.

    Raises:
        UserMistake: The script does not exist.
    """
    script = Path(sys.executable).parent / "fareline"
    if not script.is_file():
        raise UserMistake.explain(
            str(script),
            "no such file",
            "expected the script of this installation, which the orchestrator is to call",
            "install Fareline, as `make setup` does",
        )
    return str(script)


def export(
    name: str,
    settings: Settings,
    upstream: Mapping[str, Sequence[str]],
    workspace: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    cron: str | None,
) -> str:
    """The text of the file.

    Args:
        name: One of `ORCHESTRATORS`.
        settings: With the overrides applied.
        upstream: By node, in DAG order, the nodes that it waits for.
        workspace: Absolute path.
        config: The settings file; None: the packaged one.
        overrides: Values of `--set`.
        cron: The schedule; None: `loop.cron` of the settings, if it is set.

    Raises:
        SettingsError: Argo needs an image, and the settings name none.
    """
    image, text = None, None
    cron = settings.loop.cron if cron is None else cron
    changes = tuple(word for each in overrides for word in ("--set", each))
    options = (("--config", str(config.resolve())) if config else ()) + changes
    if name == "argo":
        image = _image(settings)
        text = config.read_text(encoding="utf-8") if config else None
        options = argo_options(overrides, config is not None)
    plan = Plan(
        pipeline=settings.pipeline_name, upstream=upstream, script=console_script(),
        folder=str(Path.cwd()), workspace=str(workspace), begin_options=options,
        settings_text=text, cron=cron, image=image,
    )  # fmt: skip
    return ORCHESTRATORS[name](plan)


def _image(settings: Settings) -> str:
    section = settings.runners.kubeflow
    if section is None:
        raise SettingsError.explain(
            "runners.kubeflow.image",
            "is not in the settings",
            "expected the image of the steps, which Argo shares with Kubeflow",
            "add the section, as docs/kubeflow.md describes it",
        )
    return section.image
