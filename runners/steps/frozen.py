"""Files in `runs/ID`: the plan that `step begin` freezes, and the result of each step.

Every step reads the same graph, day, span, settings and code from here. Passwords of servers are
not among them. Imports no TFX.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fareline.errors import UserMistake
from fareline.files import write_bytes, write_json
from fareline.near import guess
from fareline.packages import PACKAGES
from fareline.start import offer_packages
from pipeline.user_code import fingerprint_packages
from runners.progress import NodeState
from runners.workspace import Workspace

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_GRAPH, _RUN = "graph.pb", "run.json"
GATES = ("DataGate",)  # nodes that stop a run for a reason that is nobody's failure


@dataclasses.dataclass(frozen=True)
class FrozenRun:
    """A run that has begun.

    Attributes:
        run_id: Names the run.
        pipeline: Its name.
        upstream: By node, in DAG order, the nodes that it waits for.
        push_dir: Folder or URI that it pushes to.
        serving_sample: The requests that drift is looked for in, if any.
        code_fingerprint: SHA-256 over our sources.
        settings_sha256: Settings sha256 of the settings with all overrides applied.
        use_cache: Whether unchanged nodes may be skipped.
        began: Seconds since 1970.
        own_packages: Packages of the user's functions (`code` in the settings).
        code_folder: Folder with these packages.
        beam: The section `beam` of the settings.
    """

    run_id: str
    pipeline: str
    upstream: Mapping[str, Sequence[str]]
    push_dir: str
    serving_sample: str | None
    code_fingerprint: str
    settings_sha256: str
    use_cache: bool
    began: float
    own_packages: tuple[str, ...] = ()
    code_folder: str = ""
    beam: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class StepResult:
    """Result of the last attempt of a node.

    Attributes:
        run_id: Id of the run.
        node: Its id.
        state: Executed, cached, failed or skipped; `blocked` if a gate before it stopped the run.
        seconds: Seconds of the node alone, without imports.
        gate: The gate that stopped the run, at this node or before it.
        refused: Whether it was to push a model, and did not.
        error: Error of the attempt.
        place: Where that was raised, in our code or the user's.
    """

    run_id: str
    node: str
    state: str
    seconds: float = 0.0
    gate: str | None = None
    refused: bool = False
    error: str | None = None
    place: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether nodes that depend on it may run."""
        return self.state in (NodeState.EXECUTED.value, NodeState.CACHED.value)


def require_run_id(run_id: str) -> str:
    """Refuses an id that cannot be the name of a folder.

    Raises:
        UserMistake: The id is not a run id.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UserMistake.explain(
            "--run",
            f"{run_id!r} is not a run id",
            "expected letters, digits, points, hyphens and underscores, 128 at most",
            "leave it out of `fareline step begin`, which makes one",
        )
    return run_id


class StepFiles:
    """The files of one run of single steps.

    Args:
        workspace: Workspace of the run.
        run_id: Id of the run.
    """

    def __init__(self, workspace: Workspace, run_id: str):
        self.run_id = require_run_id(run_id)
        self.folder = workspace.steps_dir(run_id)

    def has_begun(self) -> bool:
        """Whether everything of it is frozen."""
        return (self.folder / _RUN).is_file()

    def freeze(self, run: FrozenRun, graph: bytes) -> None:
        """Writes a run; the file that says that it has begun is the last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self.folder / _GRAPH, graph)
        write_json(self.folder / _RUN, dataclasses.asdict(run), indent=1)

    def read(self) -> FrozenRun:
        """The frozen plan.

        Raises:
            UserMistake: The run has not begun here, or its file cannot be read.
        """
        if not self.has_begun():
            begun = sorted(f.parent.name for f in self.folder.parent.glob(f"*/{_RUN}"))
            raise UserMistake.explain(
                self.run_id,
                f"no run of this id has begun in {self.folder.parent.parent}",
                "expected that of a run of steps",
                f"{guess(self.run_id, begun)}`fareline step begin --run {self.run_id}` begins it",
            )
        try:
            found = FrozenRun(**json.loads((self.folder / _RUN).read_text(encoding="utf-8")))
            return dataclasses.replace(found, own_packages=tuple(found.own_packages))
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(_RUN, error) from error

    def read_graph(self) -> bytes:
        """The compiled graph, as bytes.

        Raises:
            UserMistake: The file cannot be read.
        """
        try:
            return (self.folder / _GRAPH).read_bytes()
        except OSError as error:
            raise self._damaged(_GRAPH, error) from error

    def claim_path(self, node: str) -> Path:
        """The file that is locked while a node is at work."""
        return self.folder / "claims" / node

    def result(self, node: str) -> StepResult | None:
        """Result of the last attempt of a node; None before its end."""
        path = self._result_path(node)
        if not path.is_file():
            return None
        try:
            return StepResult(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(f"results/{path.name}", error) from error

    def forget_result(self, node: str) -> None:
        """Takes a node for not run, as it is while it is at work again."""
        self._result_path(node).unlink(missing_ok=True)

    def note_result(self, result: StepResult) -> None:
        """Writes how a node ended."""
        path = self._result_path(result.node)
        path.parent.mkdir(exist_ok=True)
        write_json(path, dataclasses.asdict(result))

    def _result_path(self, node: str) -> Path:
        return self.folder / "results" / f"{node}.json"

    def _damaged(self, name: str, error: Exception) -> UserMistake:
        return UserMistake.explain(
            str(self.folder / name),
            f"cannot be read ({type(error).__name__})",
            "expected what `fareline step begin` wrote",
            "begin another run",
        )


def require_node(run: FrozenRun, node: str) -> None:
    """Refuses a node that the graph does not have.

    Raises:
        UserMistake: The graph does not have the node.
    """
    if node not in run.upstream:
        raise UserMistake.explain(
            node,
            f"{run.pipeline} has no such node",
            f"expected one of {', '.join(run.upstream)}",
            f"{guess(node, run.upstream)}`fareline step graph` lists them",
        )


def require_same_code(run: FrozenRun) -> None:
    """Makes the user's packages importable, and refuses other code than the run began with.

    Raises:
        UserMistake: A source has changed.
    """
    offer_packages(run.own_packages, run.code_folder)
    if run.code_fingerprint != fingerprint_packages((*PACKAGES, *run.own_packages)):
        raise UserMistake.explain(
            run.run_id,
            "the code has changed since it began",
            f"expected that of fingerprint {run.code_fingerprint[:12]}",
            "bring that code back, or begin another run; what is unchanged is cached",
        )
