"""The command line: `fareline`. Parses, calls, and turns errors into one line and an exit code.

Each command imports what it needs when it runs, so that the light ones start at once.
"""

import os
import sys
import traceback
from typing import Annotated

import typer

from cli import (
    baseline,
    check,
    compile,
    data,
    doctor,
    export,
    feedback,
    help,
    init,
    lineage,
    logs,
    loop,
    models,
    monitor,
    predict,
    promote,
    report,
    rollback,
    run,
    runs,
    schema,
    serve,
    settings,
    status,
    step,
    submit,
    ui,
    undeploy,
    version,
    why,
)
from cli.again import completed_hints
from cli.failures import known_failure
from cli.options import version_option
from cli.parser import PANELS, App, MistypedError, explain
from fareline.errors import FarelineError, Interrupted, UserMistake
from fareline.scratch import remove_generated_sources
from lineage.text.harmless import message
from runners import stopping

app = App(
    help="From a table to a published model: run a TFX pipeline, and query its lineage.",
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        version.version()
        raise typer.Exit


@app.callback()
def _global_options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks. May stand anywhere in the line.")
    ] = False,
    shows_version: Annotated[
        bool,
        version_option("Print the version.", "-V", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    _Debug.on = debug
    # Before it is imported: ML Metadata announces every connection to PostgreSQL on stderr.
    os.environ.setdefault("GLOG_minloglevel", "2")


class _Debug:
    """Whether tracebacks are shown; set once, by the command line."""

    on = False


RUN, DATA, MODELS, LINEAGE, DEPLOY, INSPECT = PANELS
app.command(rich_help_panel=RUN)(check.check)
app.command(rich_help_panel=RUN)(init.init)
app.command(rich_help_panel=RUN)(run.run)
app.command(rich_help_panel=RUN)(settings.settings)
app.add_typer(step.app, name="step", rich_help_panel=RUN)
app.add_typer(data.app, name="data", rich_help_panel=DATA)
app.add_typer(schema.app, name="schema", rich_help_panel=DATA)
app.add_typer(baseline.app, name="baseline", rich_help_panel=MODELS)
app.add_typer(feedback.app, name="feedback", rich_help_panel=MODELS)
app.command(rich_help_panel=MODELS)(loop.loop)
app.command(rich_help_panel=MODELS)(models.models)
app.command(rich_help_panel=MODELS)(monitor.monitor)
app.command(rich_help_panel=MODELS)(predict.predict)
app.command(rich_help_panel=MODELS)(promote.promote)
app.command(rich_help_panel=MODELS)(rollback.rollback)
app.command(rich_help_panel=MODELS)(undeploy.undeploy)
app.command(rich_help_panel=MODELS)(serve.serve)
app.add_typer(lineage.app, name="lineage", rich_help_panel=LINEAGE)
app.command(rich_help_panel=LINEAGE)(runs.runs)
app.command(rich_help_panel=LINEAGE)(why.why)
app.command("compile", rich_help_panel=DEPLOY)(compile.compile_)
app.command(rich_help_panel=DEPLOY)(export.export)
app.command(rich_help_panel=DEPLOY)(submit.submit)
app.command(rich_help_panel=INSPECT)(doctor.doctor)
app.command("help", rich_help_panel=INSPECT)(help.help_)
app.command(rich_help_panel=INSPECT)(logs.logs)
app.command(rich_help_panel=INSPECT)(report.report)
app.command(rich_help_panel=INSPECT)(status.status)
app.command(rich_help_panel=INSPECT)(ui.ui)
app.command(rich_help_panel=INSPECT)(version.version)


def main() -> None:
    """Entry point of the `fareline` script."""
    _open_what_is_closed()
    _leave(_run_app())


def _open_what_is_closed() -> None:
    """Opens stdin, stdout and stderr on nothing where they are closed, as `>&-` leaves them.

    Else the first file that is opened, such as the store, gets the number that libraries print to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which gets the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


_TYPER_INTERRUPTED = 130  # what typer ends with where a command lets a KeyboardInterrupt through


def _run_app() -> int:
    stopping.heed_signals()
    try:
        words = _with_debug_first(sys.argv[1:])
        ended = app(args=words, prog_name="fareline", standalone_mode=False)
        return _interrupted() if ended == _TYPER_INTERRUPTED else ended or 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    except MistypedError as error:
        known = explain(error)
        if known is not None:
            print(f"fareline: {message(known)}", file=sys.stderr)
        return UserMistake.exit_code
    except FarelineError as error:
        if _Debug.on:
            traceback.print_exc()
        print(f"fareline: {message(completed_hints(str(error)))}", file=sys.stderr)
        return stopping.exit_code() if isinstance(error, Interrupted) else error.exit_code
    except (KeyboardInterrupt, typer.Abort):  # the second at a question, Ctrl-D too
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback unless asked
        if _Debug.on:
            traceback.print_exc()
        if known := known_failure(error):
            print(f"fareline: {message(completed_hints(str(known)))}", file=sys.stderr)
            return known.exit_code
        print(
            f"fareline: {type(error).__name__}: {message(error)} "
            "(a defect; `fareline --debug …` shows the traceback)",
            file=sys.stderr,
        )
        return 1
    return 0


def _with_debug_first(words: list[str]) -> list[str]:
    """The line with `--debug`, wherever it stands before `--`, where the parser expects it."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" not in words[:end]:
        return words
    return ["--debug", *(word for word in words[:end] if word != "--debug"), *words[end:]]


def _interrupted() -> int:
    print("fareline: interrupted", file=sys.stderr)
    return stopping.exit_code()


def _leave(code: int) -> None:
    """Ends the process; with TensorFlow or pyarrow loaded, without the interpreter's own farewell.

    In it TensorFlow 2.16 prints hundreds of harmless `AtomicFunction.__del__` errors, and pyarrow
    aborts the process now and then, if a file was not read to its end (exit code 134).
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started this
            stream.flush()
    if "tensorflow" in sys.modules or "pyarrow" in sys.modules:
        remove_generated_sources()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
