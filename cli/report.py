"""`fareline report`: the page of a run, in one file."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OpenOption,
    StoreOption,
    WorkspaceOption,
    output_option,
    run_argument,
)
from fareline.errors import UserMistake
from fareline.files import write_text
from runners.stores import open_graph


def report(
    run: Annotated[str, run_argument("A run, or a unique prefix of its id.")] = "latest",
    output: Annotated[
        Path | None,
        output_option("FILE", "File to write.", "reports/RUN.html in the workspace"),
    ] = None,
    open_browser: OpenOption = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Compare two runs side by side instead."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the page of a run: its verdict, data, features, training, evaluation and serving.

    The page is one HTML file that needs no network. The first line on stdout is its path. --json
    prints the content of the page, and then a page is written only with -o.
    """
    from lineage.ids import find_run
    from report.run.gather import gather
    from report.run.page import report_page

    graph = open_graph(workspace, store)
    if compare is not None:
        _refuse_both(run)
        from report.run.compare import compare_runs

        a, b = (find_run(graph, name) for name in compare)
        comparison = compare_runs(graph, a, b)
        name, content = f"{a}-and-{b}", comparison.as_json()
        make_page = comparison.page
    else:
        document = gather(graph, find_run(graph, run))
        name, content = document.run_id, document.as_json()

        def make_page() -> str:
            return report_page(document)

    if as_json and output is None:
        answer(True, content, "")
        return
    path = output or _place(workspace, store, name)
    write_text(path, make_page(), hint="name another place with -o")
    answer(as_json, content, str(path))
    if open_browser:
        webbrowser.open(path.resolve().as_uri())


def _place(workspace: Path, store: str | None, name: str) -> Path:
    """Beside the run; of a store that is no workspace, here.

    Raises:
        UserMistake: The folder cannot be made.
    """
    from runners.workspace import Workspace, file_name_of

    if store is not None:
        return Path(f"{file_name_of(name)}.html")
    path = Workspace(workspace.resolve()).report_path(name)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UserMistake.explain(
            str(path.parent),
            f"cannot be made ({error.strerror})",
            "expected a folder to write to",
            "name another place with -o",
        ) from error
    return path


def _refuse_both(run: str) -> None:
    """Refuses a run beside `--compare`.

    Raises:
        UserMistake: One was given.
    """
    if run != "latest":
        raise UserMistake.explain(
            run, "given with --compare", "expected --compare RUN_A RUN_B alone", "leave it out"
        )
