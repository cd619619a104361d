"""The command line: `fareline`. Parses, calls, and turns errors into one line and an exit code.

Each command imports what it needs when it runs, so that the light ones start at once.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fareline import __version__
from fareline.errors import FarelineError
from runners.baseline_command import app as baseline_app
from runners.compile_command import check, compile_
from runners.data_command import app as data_app
from runners.lineage_commands import app as lineage_app
from runners.models_command import models, promote, rollback
from runners.predict_command import predict
from runners.schema_command import app as schema_app
from runners.serve_command import serve
from runners.spec_options import (
    MapOption,
    ParamOption,
    SpecOption,
    refuse_parameters_beside_settings,
    refuse_spec_options,
)
from runners.submit_command import submit
from runners.why_command import why

app = typer.Typer(
    help="From raw trips to a published model: run a TFX pipeline and ask where models came from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", help="Folder of metadata, artifacts and pushed models.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.callback()
def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    _Debug.on = debug
    # Before it is imported: ML Metadata announces every connection to PostgreSQL on stderr.
    os.environ.setdefault("GLOG_minloglevel", "2")


class _Debug:
    """Whether tracebacks are shown; set once, by the command line."""

    on = False


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file. [default: the taxi pipeline]")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
    ] = None,
    span: Annotated[
        int | None,
        typer.Option("--span", min=0, metavar="N", help="Newest span to read. [default: latest]"),
    ] = None,
    workspace: WorkspaceOption = Path("workspace"),
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Execute every node.")] = False,
    as_json: JsonOption = False,
    spec: SpecOption = None,
    maps: MapOption = None,
    parameters: ParamOption = None,
) -> None:
    """Run the pipeline on this machine. Exit code 0: pushed; 3: the model was refused."""
    from runners.workspace import Workspace

    here = Workspace(workspace.resolve())
    overrides = [*(overrides or ()), *([f"data.span={span}"] if span is not None else ())]
    if spec is None:
        refuse_spec_options(maps, parameters)
    else:
        from runners.spec_run import read_request, run_request

        refuse_parameters_beside_settings(config, overrides, parameters)
        request = read_request(spec, here, maps or (), parameters or (), not no_cache)
        if config is not None or overrides:
            request = request.compiled_from(config, tuple(overrides or ()))
        outcome, console = run_request(request)
        _answer(outcome, console, request.settings, as_json)
    from pipeline.config import load_settings
    from pipeline.sections import DEFAULT_PATH
    from runners.run import RunRequest, check_request, run_locally

    settings = load_settings(config or DEFAULT_PATH, overrides)
    source = check_request(settings)
    for note in source.notes:
        print(f"fareline: {note}", file=sys.stderr)
    request = RunRequest(
        settings,
        here,
        use_cache=not no_cache,
        overrides=tuple(overrides),
    )
    outcome, console = run_locally(request, source)
    _answer(outcome, console, settings, as_json)


def _answer(outcome, console, settings, as_json: bool) -> None:
    """Prints what came of a run, and ends with its exit code."""
    from runners.summary import EXIT_CODES, print_summary

    if as_json:
        print(outcome.to_json())
    else:
        print_summary(console, outcome, settings)
    raise typer.Exit(EXIT_CODES[outcome.status])


app.command("compile")(compile_)
app.command()(check)
app.command()(submit)
app.command()(why)
app.command()(models)
app.command()(rollback)
app.command()(promote)
app.command()(predict)
app.command()(serve)
app.add_typer(baseline_app, name="baseline")
app.add_typer(data_app, name="data")
app.add_typer(lineage_app, name="lineage")
app.add_typer(schema_app, name="schema")


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what this machine can do and what is missing."""
    from runners.doctor import examine, print_report

    report = examine()
    if as_json:
        print(report.to_json())
    else:
        print_report(report)
    raise typer.Exit(0 if report.can_run else 1)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Entry point of the `fareline` script."""
    _leave(_run_app())


def _run_app() -> int:
    try:
        app(prog_name="fareline")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    except FarelineError as error:
        if _Debug.on:
            traceback.print_exc()
        print(f"fareline: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("fareline: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback unless asked
        if _Debug.on:
            traceback.print_exc()
        if known := _of_the_store(error):
            print(f"fareline: {known}", file=sys.stderr)
            return known.exit_code
        print(
            f"fareline: {type(error).__name__}: {error} "
            "(a defect; `fareline --debug …` shows the traceback)",
            file=sys.stderr,
        )
        return 1
    return 0


def _of_the_store(error: Exception) -> FarelineError | None:
    """What an error of ML Metadata means; None for any other error."""
    kinds = sys.modules.get("ml_metadata.errors")  # loaded, or it is not one
    if kinds is None or not isinstance(error, kinds.StatusError):
        return None
    from lineage.store import failure_of_store

    return failure_of_store(error)


def _leave(code: int) -> None:
    """Ends the process; with TensorFlow or pyarrow loaded, without the interpreter's own farewell.

    In it TensorFlow 2.16 prints hundreds of harmless `AtomicFunction.__del__` errors, and pyarrow
    aborts the process now and then, if a file was not read to its end (exit code 134).
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started this
            stream.flush()
    if "tensorflow" in sys.modules or "pyarrow" in sys.modules:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
