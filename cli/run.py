"""`fareline run`: the pipeline on this machine, from settings or from a compiled specification."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    MapOption,
    NoCacheOption,
    ParamOption,
    SetOption,
    SpecOption,
    ToNodesOption,
    WorkspaceOption,
    complete_runs,
    from_option,
    only_option,
    sample_option,
)
from fareline.errors import UserMistake

if TYPE_CHECKING:
    from runners.local.planning import PlannedNode
    from runners.part import Part


def run(
    config: ConfigOption = None,
    overrides: SetOption = None,
    span: Annotated[
        int | None,
        typer.Option(
            "--span", min=0, metavar="N", help="Newest span to read.", show_default="latest"
        ),
    ] = None,
    sample: Annotated[
        int | None,
        sample_option(1, "Read N rows, always the same; push no model."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    no_cache: NoCacheOption = False,
    from_nodes: Annotated[
        list[str] | None,
        from_option("NODE", "Run this node and all nodes after it; repeatable."),
    ] = None,
    to_nodes: ToNodesOption = None,
    only: Annotated[str | None, only_option("NODE", "Run this node alone.")] = None,
    reused_run: Annotated[
        str | None,
        typer.Option(
            "--reuse",
            metavar="RUN",
            autocompletion=complete_runs,
            help="Run whose outputs a partial run reuses.",
            show_default="the last good run",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Print the nodes that would run, with reasons; run nothing."),
    ] = False,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Note to record with the run.")
    ] = "",
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="WORD", help="Word to record with the run; repeatable."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print all metrics, checks and slices at the end.")
    ] = False,
    as_json: JsonOption = False,
    spec: SpecOption = None,
    maps: MapOption = None,
    parameters: ParamOption = None,
) -> None:
    """Run the pipeline on this machine. Exit code 0: pushed; 3: the model was refused."""
    from runners.workspace import Workspace

    here = Workspace(workspace.resolve())
    part = _part(from_nodes or (), to_nodes or (), only, reused_run)
    _require_words(tags or ())
    wanted = {"data.span": span, "data.sample": sample}
    said = [f"{name}={value}" for name, value in wanted.items() if value is not None]
    overrides = [*(overrides or ()), *said]
    if spec is None:
        _refuse_spec_options(maps, parameters)
    else:
        from runners.replay.run import read_request, run_request

        _refuse_parameters_beside_settings(config, overrides, parameters)
        _refuse_beside_spec(part, plan, note, tags, sample)
        request = read_request(spec, here, maps or (), parameters or (), not no_cache)
        if config is not None or overrides:
            request = request.compiled_from(config, tuple(overrides or ()))
        outcome, console = run_request(request)
        _answer(outcome, console, request.settings, as_json, verbose)
    from pipeline.settings.load import load_settings
    from pipeline.source.check import check_request
    from runners.local.planning import plan_run
    from runners.local.run import RunRequest, run_locally
    from runners.pii_key import read_pii_key

    settings = load_settings(config, overrides)
    source = check_request(settings, read_pii_key)
    for note in source.notes:
        typer.echo(f"fareline: {note}", err=True)
    request = RunRequest(
        settings,
        here,
        use_cache=not no_cache,
        overrides=tuple(overrides),
        part=part,
        note=note,
        tags=tuple(tags or ()),
    )
    if plan:
        _print_plan(plan_run(request, source), as_json)
        return
    outcome, console = run_locally(request, source)
    _answer(outcome, console, settings, as_json, verbose)


def _answer(outcome, console, settings, as_json: bool, verbose: bool) -> None:
    """Prints what came of a run, and ends with its exit code."""
    from runners.outcome.brief import print_brief
    from runners.outcome.summary import EXIT_CODES, print_summary

    show = print_summary if verbose else print_brief
    answer(as_json, outcome.as_json(), lambda _: show(console, outcome, settings))
    raise typer.Exit(EXIT_CODES[outcome.status])


def _print_plan(nodes: "Sequence[PlannedNode]", as_json: bool) -> None:
    """Prints what a run would do."""
    from lineage.text.tables import print_table

    content = {"nodes": [dataclasses.asdict(each) for each in nodes]}
    rows = [(each.name, each.plan, each.why) for each in nodes]
    answer(as_json, content, lambda console: print_table(console, ("node", "plan", "why"), rows))


def _part(
    from_nodes: Sequence[str], to_nodes: Sequence[str], only: str | None, reused_run: str | None
) -> "Part | None":
    """The part of the graph that was asked for; None for the whole.

    Raises:
        UserMistake: The options do not go together.
    """
    from runners.part import Part

    if only is not None:
        if from_nodes or to_nodes:
            raise UserMistake.explain(
                "--only",
                "given together with --from or --to",
                "expected one node, or where to begin and to end",
                "leave out one of them",
            )
        from_nodes = to_nodes = (only,)
    if from_nodes or to_nodes:
        return Part(tuple(from_nodes), tuple(to_nodes), reused_run)
    if reused_run is not None:
        raise UserMistake.explain(
            "--reuse",
            "given without a part of the graph",
            "expected --from, --to or --only beside it",
            "leave it out: unchanged nodes are taken from the cache",
        )
    return None


def _require_words(tags: Sequence[str]) -> None:
    """Refuses a tag that no run can be found by.

    Raises:
        UserMistake: One is empty.
    """
    if not all(tag.strip() for tag in tags):  # as an unset variable of a script gives
        raise UserMistake.explain(
            "--tag", "is empty", "expected a word to find the run by", "leave --tag out"
        )


def _refuse_beside_spec(
    part: "Part | None",
    plan: bool,
    note: str,
    tags: Sequence[str] | None,
    sample: int | None,
) -> None:
    """Refuses what a compiled specification cannot be asked for.

    Raises:
        UserMistake: It was.
    """
    if part is not None or plan or note or tags or sample is not None:
        raise UserMistake.explain(
            "--spec",
            "given together with a part of the graph, --plan, --note, --tag or --sample",
            "expected a compiled specification, which is executed whole and as it is",
            "leave them out, or run from settings",
        )


def _refuse_spec_options(maps: Sequence[str] | None, parameters: Sequence[str] | None) -> None:
    """Refuses the options of a specification where none is run.

    Raises:
        UserMistake: One was given.
    """
    if maps or parameters:
        raise UserMistake.explain(
            "--map" if maps else "--param",
            "given without --spec",
            "expected a compiled specification that it belongs to",
            "add --spec FILE, or change a setting with --set",
        )


def _refuse_parameters_beside_settings(
    config: Path | None, overrides: Sequence[str] | None, parameters: Sequence[str] | None
) -> None:
    """Refuses `--param` beside settings: what ran would not be what they say.

    Raises:
        UserMistake: Both were given.
    """
    if parameters and (config is not None or overrides):
        raise UserMistake.explain(
            "--param",
            f"given together with {'--config' if config is not None else '--set'}",
            "expected the settings that the specification was compiled from, or other values",
            "leave out one of them",
        )
