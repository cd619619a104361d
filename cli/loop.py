"""`fareline loop`: keeps a model up to date on one machine, with a reason for each retraining."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    EXIT_FOUND,
    ConfigOption,
    JsonOption,
    SetOption,
    WorkspaceOption,
    dry_run_option,
    sample_option,
)
from fareline.errors import TryLater, UserMistake

if TYPE_CHECKING:
    from runners.looping.loop import Passed

_CODES = {"refused": EXIT_FOUND, "stopped": 1, "failed": 1}


def loop(
    once: Annotated[
        bool, typer.Option("--once", help="Run one pass, for cron or systemd.")
    ] = False,
    dry_run: Annotated[bool, dry_run_option("Print the decision of one pass; do nothing.")] = False,
    period: Annotated[
        str | None,
        typer.Option(
            "--replay",
            metavar="FROM..TO",
            help="Play the past, such as 2013..2016, in the workspace WORKSPACE-replay.",
        ),
    ] = None,
    change: Annotated[
        str | None,
        typer.Option(
            "--change",
            metavar="FROM[:COLUMN=VALUE]",
            help="With --replay: from then on the labels of these rows are the other ones.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        sample_option(200, "With --replay: at most N rows of each window, always the same."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal spans, watch the live model, and retrain or roll back if needed, until stopped.

    Exit codes of --once: 0: nothing to do, or a model was pushed or rolled
    back; 1: a run failed or was stopped; 3: an alarm, or a model was refused;
    75: another run is at work. --replay: 0: played to its end; 1: a run failed.
    """
    if period is not None or change is not None or sample is not None:
        alone = "--change" if change is not None else "--sample"
        _require_replay_alone(period, alone, {"--once": once, "--dry-run": dry_run})
    from pipeline.settings.load import load_settings
    from runners.looping.loop import Wish, keep
    from runners.looping.secret import read_secret
    from runners.workspace import Workspace

    def show(passed: "Passed") -> None:
        content = passed.as_json()
        answer(as_json, content, _in_words(content), indent=None)

    if period is not None:
        from monitoring.feedback.past import read_change, read_period
        from runners.looping.replaying import Asked, replay

        planted = None if change is None else read_change(change)
        spanned = read_period(period)
        asked = Asked(workspace.resolve(), config, tuple(overrides or ()), spanned, planted, sample)
        replay(asked, show, _tell)
        return
    settings = load_settings(config, overrides or ())
    words = ["--config", str(config.resolve())] if config is not None else []
    words += [word for each in overrides or () for word in ("--set", each)]
    wish = Wish(Workspace(workspace.resolve()), settings, tuple(words), read_secret(settings.loop))
    passed = keep(wish, once or dry_run, dry_run, show, _tell)
    if once or dry_run:
        show(passed)
        if passed.decision is None:
            raise TryLater(passed.notes[0])
        raise typer.Exit(_exit_code(passed))


def _require_replay_alone(period: str | None, alone: str, others: Mapping[str, bool]) -> None:
    where = "fareline loop"
    if period is None:
        raise UserMistake.explain(
            where, f"found {alone} alone", "expected --replay FROM..TO", "write --replay 2013..2016"
        )
    for name, given in others.items():
        if given:
            raise UserMistake.explain(
                where, f"found --replay and {name}", "expected one of them", f"leave {name} out"
            )


def _exit_code(passed: "Passed") -> int:
    if passed.event is not None:
        return _CODES.get(passed.event, 0)
    return EXIT_FOUND if passed.decision.action not in ("nothing", "record") else 0


def _in_words(content: Mapping[str, Any]) -> str:
    """One line for the decision, and one for each cause and note."""
    from lineage.text.harmless import plain

    held = f"; no other action until {content['held_until']}" if content["held_until"] else ""
    event = f": {content['event'].replace('_', ' ')}" if content["event"] else ""
    recorded = f" ({content['execution']})" if content["execution"] else ""
    lines = [f"{content['at']} {content['action'].replace('_', ' ')}{event}{recorded}{held}"]
    lines += [f"  {cause['kind']}: {cause['said']}" for cause in content["causes"]]
    lines += [f"  note: {note}" for note in content["notes"]]
    return "\n".join(plain(line, None) for line in lines)


def _tell(line: str) -> None:
    sys.stderr.write(f"fareline: {line}\n")
    sys.stderr.flush()
