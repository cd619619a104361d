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
    init,
    lineage,
    logs,
    models,
    predict,
    promote,
    report,
    rollback,
    run,
    schema,
    serve,
    settings,
    submit,
    version,
    why,
)
from fareline.disk import disk_error
from fareline.errors import FarelineError, Interrupted
from fareline.start import what_is_in_the_way
from runners import stopping

app = typer.Typer(
    help="From raw trips to a published model: run a TFX pipeline and ask where models came from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


app.command()(init.init)
app.command()(run.run)
app.command("compile")(compile.compile_)
app.command()(check.check)
app.command()(settings.settings)
app.command()(submit.submit)
app.command()(why.why)
app.command()(logs.logs)
app.command()(report.report)
app.command()(models.models)
app.command()(rollback.rollback)
app.command()(promote.promote)
app.command()(predict.predict)
app.command()(serve.serve)
app.add_typer(baseline.app, name="baseline")
app.add_typer(data.app, name="data")
app.add_typer(lineage.app, name="lineage")
app.add_typer(schema.app, name="schema")
app.command()(doctor.doctor)
app.command()(version.version)


def main() -> None:
    """Entry point of the `fareline` script."""
    _leave(_run_app())


_TYPER_INTERRUPTED = 130  # what typer ends with where a command lets a KeyboardInterrupt through


def _run_app() -> int:
    stopping.heed_signals()
    try:
        app(prog_name="fareline")
    except SystemExit as error:
        if error.code == _TYPER_INTERRUPTED:
            return _interrupted()
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    except FarelineError as error:
        if _Debug.on:
            traceback.print_exc()
        print(f"fareline: {error}", file=sys.stderr)
        return stopping.exit_code() if isinstance(error, Interrupted) else error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback unless asked
        if _Debug.on:
            traceback.print_exc()
        if known := _of_the_names(error) or disk_error(error) or _of_the_store(error):
            print(f"fareline: {known}", file=sys.stderr)
            return known.exit_code
        print(
            f"fareline: {type(error).__name__}: {error} "
            "(a defect; `fareline --debug …` shows the traceback)",
            file=sys.stderr,
        )
        return 1
    return 0


def _interrupted() -> int:
    print("fareline: interrupted", file=sys.stderr)
    return stopping.exit_code()


def _of_the_names(error: Exception) -> FarelineError | None:
    """What has installed files into our packages; None if nothing has, or for any other error."""
    return what_is_in_the_way() if isinstance(error, ImportError | AttributeError) else None


def _of_the_store(error: Exception) -> FarelineError | None:
    """What an error of ML Metadata means; None for any other error."""
    kinds = sys.modules.get("ml_metadata.errors")  # loaded, or it is not one
    if kinds is None or not isinstance(error, kinds.StatusError):
        return None
    from lineage.store.open import failure_of_store

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
