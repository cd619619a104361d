"""`fareline logs`: the messages of a run or of one of its nodes."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption, node_argument, run_argument
from fareline.errors import UserMistake
from fareline.near import guess, near_names

_SUFFIX = ".log"


def logs(
    run: Annotated[
        str,
        run_argument("Run id, a prefix of it, or latest; default: latest."),
    ] = "latest",
    node: Annotated[
        str | None,
        node_argument("Node to print, such as Trainer; default: all."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Print the log of a run, or of one of its nodes. With --json: the path of the log."""
    folder = workspace.resolve() / "logs"
    found = _find_run(folder, run)
    path = found if node is None else _find_node(found, node)
    if as_json:
        nodes = sorted(each.stem for each in found.with_suffix("").glob(f"*{_SUFFIX}"))
        content = {"run_id": found.stem, "node": node, "log": str(path), "nodes_with_logs": nodes}
        answer(True, content, lambda console: None)
        return
    sys.stdout.flush()
    with path.open("rb") as log:
        shutil.copyfileobj(log, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _find_run(folder: Path, asked: str) -> Path:
    """The log of a run.

    Raises:
        UserMistake: There is none, or several begin so.
    """
    logs_of_runs = {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIX}"))}
    if not logs_of_runs:
        raise UserMistake.explain(
            str(folder), "holds no log", "expected that of a run", "`fareline run` writes one"
        )
    if asked == "latest":
        return max(logs_of_runs.values(), key=lambda path: path.stat().st_mtime)
    begin_so = [run for run in logs_of_runs if run.startswith(asked)]
    if asked in logs_of_runs or len(begin_so) == 1:
        return logs_of_runs[asked if asked in logs_of_runs else begin_so[0]]
    near = begin_so or near_names(asked, logs_of_runs, 3) or list(logs_of_runs)[-3:]
    raise UserMistake.explain(
        asked,
        "several runs begin so" if begin_so else "no run of this workspace has that id",
        f"expected such as {', '.join(near)}",
        "`fareline lineage runs` lists them",
    )


def _find_node(log_of_run: Path, node: str) -> Path:
    found = {path.stem: path for path in sorted(log_of_run.with_suffix("").glob(f"*{_SUFFIX}"))}
    if node in found:
        return found[node]
    raise UserMistake.explain(
        node,
        f"has no lines in {log_of_run.stem}",
        f"{guess(node, found)}expected one of {', '.join(found) or 'none'}",
        "a node that was cached or skipped has no log; leave it out for that of the run",
    )
