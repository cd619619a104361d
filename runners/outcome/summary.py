"""The outcome of a run, read from the store and the artifacts, as a JSON object and as text.

Imports TFMA, through pipeline.evaluation.eval_config, only for an evaluation that did not record
its metrics.
"""

import dataclasses
import math
import re
import shlex
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fareline.errors import FarelineError, message_of
from fareline.files import from_here
from fareline.packages import PACKAGES
from fareline.recorded.data import rows_read
from fareline.recorded.evaluation import read_metrics as recorded_metrics
from fareline.recorded.tuning import WarmStart, tuning_of, warm_start_of
from lineage.answers.why.view import judgement_lines, refusals
from lineage.answers.why.why import why_run
from lineage.facts.failures import place_in, users_place_in
from lineage.facts.runs import outputs_of_run, read_runs
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph
from lineage.text.harmless import plain
from pipeline.evaluation.verdict import SliceMetrics
from pipeline.settings.settings import Settings
from pipeline.settings.slicing import OVERALL
from runners.outcome.anomalies import anomalies_table, decisions_of
from runners.outcome.drift import drift_of, show_drift
from runners.outcome.page import Page
from runners.outcome.tuning import tuning_line
from runners.progress import NodeResult, NodeState
from runners.workspace import Workspace

PUSHED, REFUSED, FAILED = "pushed", "refused", "failed"
COMPLETED = "completed"  # without a Pusher in what ran, or a model of a sample
INTERRUPTED = "interrupted"  # recorded only: after an interrupt there is no summary
EXIT_CODES = {PUSHED: 0, COMPLETED: 0, REFUSED: 3, FAILED: 1}
_GRAPH_ERROR = "Graph execution error:"  # TensorFlow begins with it, whatever the error
_BEAM_STEP = re.compile(r" \[while running '[^']*'\]$")  # Beam adds it to what a worker raised
_RESOLVER = "Resolver"
_MOST_OF_A_LINE = 2_000  # of an error, which may be a whole document
TRACEBACK = "Traceback (most recent call last):"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one run; see `to_json` for the stable keys."""

    run_id: str
    nodes: Sequence[NodeResult]
    slices: Sequence[SliceMetrics]
    blessed: bool
    infra_blessed: bool
    reasons: Sequence[str]
    baseline: str | None
    pushed_to: str | None
    workspace: Workspace
    log_path: Path
    wall_seconds: float
    why: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None
    anomalies: Sequence[Mapping[str, Any]] = ()
    drift: Mapping[str, Any] | None = None
    tuning: Mapping[str, Any] | None = None
    warm_start: WarmStart | None = None
    page: Page | None = None

    @property
    def status(self) -> str:
        """`failed` if a node did not end well, else `pushed`, `refused`, or `completed`."""
        if not all(node.state.is_fine for node in self.nodes):
            return FAILED
        if self.pushed_to:
            return PUSHED
        if self.sample is not None:
            return COMPLETED
        if _may_push(self.why):
            return REFUSED
        # A condition on a blessing keeps the Pusher from running at all.
        held_back = any(node.held_back for node in self.nodes) and _is_refused(self.why)
        return REFUSED if held_back else COMPLETED

    @property
    def sample(self) -> int | None:
        """Rows of the sample that the model is of, where nothing else keeps it from a push."""
        return self.why["pusher"].get("sample") if self.why else None

    @property
    def completed_line(self) -> str:
        """Why nothing was pushed although nothing is wrong."""
        if self.sample is not None:
            return f"Completed: the model is of a sample of {self.sample:,} rows and is not pushed."
        return "Completed: this pipeline pushes no model."

    @property
    def is_unchanged(self) -> bool:
        """Whether every node was taken from the cache, but for those that only look."""
        executed = [node for node in self.nodes if not node.name.endswith(_RESOLVER)]
        return bool(executed) and all(node.state is NodeState.CACHED for node in executed)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics over all examples."""
        return dict(self.slices[0].metrics) if self.slices else {}

    def as_json(self) -> dict[str, Any]:
        """As JSON types; NaN, which JSON has not, is None."""
        failed = next((n for n in self.nodes if n.error), None)
        return {
            "run_id": self.run_id,
            "status": self.status,
            "nodes": [
                {"name": n.name, "state": n.state.value, "seconds": round(n.seconds, 3)}
                for n in self.nodes
            ],
            "data": self.data,
            "anomalies": list(self.anomalies),
            "drift": self.drift,
            "tuning": self.tuning,
            "warm_start": self.warm_start.as_json() if self.warm_start else None,
            "metrics": _finite(self.metrics),
            "slices": {s.name: _finite(s.metrics) for s in self.slices if s.name != OVERALL},
            "blessed": self.blessed,
            "infra_blessed": self.infra_blessed,
            "reasons": list(self.reasons),
            "why": self.why,
            "baseline": self.baseline,
            "pushed_to": self.pushed_to,
            "workspace": str(self.workspace.root),
            "metadata": self.workspace.store_location,
            "log": str(self.log_path),
            "report": str(self.page.path) if self.page else None,
            "previous": self.page.previous if self.page else None,
            "changes": {
                group: [path for path, _, _ in changes]
                for group, changes in (self.page.changes if self.page else {}).items()
            },
            "error": f"{failed.name}: {describe_error(failed.error)}" if failed else None,
            "failed_at": place_of(failed.error) if failed else None,
            "wall_seconds": round(self.wall_seconds, 3),
        }


def read_outcome(
    run_id: str,
    nodes: Sequence[NodeResult],
    store: metadata_store.MetadataStore,
    workspace: Workspace,
    log_path: Path,
    wall_seconds: float,
) -> Outcome:
    """Reads blessings, metrics and the pushed version of a run."""
    graph = Graph(store)
    outputs = outputs_of_run(graph, run_id)

    def first(node: str, key: str) -> Any:
        artifacts = outputs.get(node, {}).get(key)
        return artifacts[0] if artifacts else None

    evaluation = first("Evaluator", "evaluation")
    blessing = first("Evaluator", "blessing")
    infra = _properties(first("InfraValidator", "blessing"))
    pushed = _properties(first("Pusher", "pushed_model"))
    why = why_run(graph, run_id)
    examples = first("ExampleGen", "examples") or _taken_over(graph, run_id)
    best = first("Tuner", "best_hyperparameters")
    model = first("Trainer", "model")
    return Outcome(
        run_id=run_id,
        nodes=nodes,
        slices=_slices(evaluation) if evaluation else [],
        blessed=bool(_properties(blessing).get("blessed")),
        infra_blessed=bool(infra.get("blessed")),
        reasons=refusals(why),
        baseline=_baseline(_properties(blessing)),
        pushed_to=pushed.get("pushed_destination") if pushed.get("pushed") else None,
        workspace=workspace,
        log_path=log_path,
        wall_seconds=wall_seconds,
        why=why,
        data=rows_read(examples) if examples else None,
        anomalies=decisions_of(first("DataPolicy", "decision")),
        drift=drift_of(first("DriftMonitor", "drift")),
        tuning=tuning_of(best) if best else None,
        warm_start=warm_start_of(model) if model else None,
    )


def _taken_over(graph: Graph, run_id: str) -> Artifact | None:
    """The data of a run that ingests none."""
    if run_id not in graph.places.run_contexts():
        return None
    [run] = read_runs(graph, [run_id])
    return next(iter(run.examples), None)


def read_metrics(evaluation_uri: str) -> list[SliceMetrics]:
    """Reads an evaluation with TFMA, which takes six seconds to import."""
    from pipeline.evaluation import eval_config as evaluation

    return evaluation.read_metrics(evaluation_uri)


def _slices(evaluation: Artifact) -> Sequence[SliceMetrics]:
    """The metrics by slice, as our Evaluator recorded them, or else from the artifact's files."""
    found = recorded_metrics(evaluation)
    if found is None:
        return read_metrics(evaluation.uri)
    named = {OVERALL: found.overall, **found.slices}
    return [
        SliceMetrics(name, {k: math.nan if v is None else v for k, v in metrics.items()})
        for name, metrics in named.items()
    ]


def print_summary(console: Console, outcome: Outcome, settings: Settings | None) -> None:
    """Prints all of it: metrics, the verdict with its reasons, and what to type next.

    Args:
        console: Console to print on.
        outcome: Outcome of the run.
        settings: For the thresholds; None where a specification was run.
    """
    if outcome.data:
        console.print(data_line(outcome.data), markup=False, highlight=False, soft_wrap=True)
    if outcome.anomalies:
        console.print(anomalies_table(outcome.anomalies, console.width), soft_wrap=True)
    if outcome.drift:
        for part in show_drift(outcome.drift, console.width):
            console.print(part, soft_wrap=True, highlight=False)
    if tuned := tuning_line(outcome.tuning, outcome.nodes):
        console.print(tuned, markup=False, highlight=False, soft_wrap=True)
    if outcome.warm_start:
        line = plain(outcome.warm_start.line, limit=None)
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if outcome.slices:
        console.print(_metrics_table(outcome.metrics, settings))
    print_failures(console, outcome)
    _print_verdict(console, outcome)
    places = {"Report": outcome.page.path} if outcome.page else {}
    for name, path in {**places, "Log": outcome.log_path}.items():
        line = f"{name}: {from_here(path)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{outcome.run_id} took {outcome.wall_seconds:.0f} s.", highlight=False)
    console.print(next_step(outcome), markup=False, highlight=False, soft_wrap=True)


def print_failures(console: Console, outcome: Outcome) -> None:
    """Prints each node that failed, why, and where in our code or the user's."""
    for node in outcome.nodes:
        if node.error:
            console.print(f"[bold red]✗ {node.name} failed[/]: ", end="")
            lines = describe_error(node.error).split("\n")
            told = "\n".join(plain(line, _MOST_OF_A_LINE) for line in lines)
            console.print(told, markup=False, highlight=False, soft_wrap=True)
            if place := place_of(node.error):
                console.print(
                    f"  at {plain(place, limit=None)}",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )


def describe_error(error: BaseException) -> str:
    """The cause of a failure: our own errors whole, others by one line of the root cause.

    Of most errors that is the first line. TensorFlow's begin with "Graph execution error:" and what
    was called; the cause stands before the node in brackets.

    A Beam worker in another process sends its traceback as the text of a RuntimeError; there the
    cause is the last exception that the text names.
    """
    error = _to_root(error, _says_all)[-1]
    if isinstance(error, FarelineError):
        return _BEAM_STEP.sub("", str(error))
    _, head, frames = message_of(error).rpartition(TRACEBACK)
    if head:
        named = [line for line in frames.splitlines() if line and not line.startswith(" ")]
        return named[0] if named else type(error).__name__
    lines = [line.strip() for line in message_of(error).splitlines() if line.strip()]
    if lines and lines[0] == _GRAPH_ERROR:
        lines = _cause_in_graph(lines[1:]) or lines
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def place_of(error: BaseException) -> str | None:
    """Where the root of a failure was raised, in our code or the user's; None of our own errors.

    Their message says it all; and an error without a frame of ours has none to name. Where it was
    raised in our code that the user's called, both are named.
    """
    chain = _to_root(error, lambda each: isinstance(each, FarelineError))
    if isinstance(chain[-1], FarelineError):
        return None
    for each in reversed(chain):  # the root may have been raised in a library that we called
        text = "".join(
            traceback.format_exception(type(each), each, each.__traceback__, chain=False)
        )
        if place := place_in(text):
            caller = users_place_in(text)
            return place if caller in (None, place) else f"{place}, called from {caller}"
    return None


def _says_all(error: BaseException) -> bool:
    """Whether what it was raised from is no cause: TensorFlow tries other signatures first."""
    return isinstance(error, FarelineError) or message_of(error).startswith(_GRAPH_ERROR)


def _cause_in_graph(lines: list[str]) -> list[str]:
    """From the line before the first that names a node alone; else the last line."""
    nodes = [place for place, line in enumerate(lines) if line.startswith("[[")]
    return lines[max(nodes[0] - 1, 0) :] if nodes else lines[-1:]


def _to_root(
    error: BaseException, says_all: Callable[[BaseException], bool]
) -> list[BaseException]:
    """An error, what it was raised from and so on, as far as one that says all."""
    chain = [error]
    while not says_all(chain[-1]) and (cause := _cause(chain[-1])):
        if any(cause is each for each in chain):  # each was raised from the other
            break
        chain.append(cause)
    return chain


def _cause(error: BaseException) -> BaseException | None:
    hidden = error.__suppress_context__  # raise … from None
    context = None if hidden or _is_signal(error.__context__) else error.__context__
    return error.__cause__ or context


def _is_signal(error: BaseException | None) -> bool:
    """Whether an error only had our code take another way, in which the failure then came up."""
    ours = type(error).__module__.partition(".")[0] in PACKAGES
    return ours and not isinstance(error, FarelineError)


def _print_verdict(console: Console, outcome: Outcome) -> None:
    if outcome.status == FAILED:
        console.print("No model was pushed: the run failed.")
        return
    if outcome.status == COMPLETED:
        console.print(outcome.completed_line)
        return
    for line in judgement_lines(outcome.why) if outcome.why else ():
        style = "bold green" if line.startswith("Pushed") else ""
        style = "bold yellow" if line.startswith("Refused") else style
        console.print(Text(line, style), soft_wrap=True, highlight=False)


def next_step(outcome: Outcome) -> str:
    """Suggested next commands, on one line."""
    if outcome.status == FAILED:
        failed = next((node.name for node in outcome.nodes if node.error), None)
        command = f"`fareline logs {outcome.run_id} {failed} {in_workspace(outcome)}`"
        logs = f"; {command} has its log" if failed else ""
        return f"Next: fix the cause and run again; finished nodes come from the cache{logs}."
    if outcome.status == REFUSED:
        if any("(push.when)" in reason for reason in outcome.reasons):
            return "Next: see why above; the model is approved, and push.when holds it back."
        if outcome.blessed and outcome.infra_blessed:
            return (
                "Next: see the reason above; `fareline promote` makes a withheld model live again."
            )
        if outcome.blessed:
            return "Next: see the reason above; if the machine was busy, --no-cache measures again."
        return "Next: look at the slices above, change the settings or the model, run again."
    return f"Next: fareline lineage runs {in_workspace(outcome)}"


def in_workspace(outcome: Outcome) -> str:
    """The option by which a command asks the workspace of a run."""
    return f"--workspace {shlex.quote(from_here(outcome.workspace.root))}"


def _may_push(why: Mapping[str, Any] | None) -> bool:
    return why is None or why["pusher"]["execution"] is not None


def _is_refused(why: Mapping[str, Any]) -> bool:
    return any(why[judge]["blessed"] is False for judge in ("evaluator", "infra_validator"))


def _metrics_table(metrics: Mapping[str, float], settings: Settings | None) -> Table:
    table = Table(title="Metrics on the eval split", title_justify="left", box=None)
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("threshold" if settings else "")
    for name, value in metrics.items():
        table.add_row(name, number(name, value), bounds_of(name, settings))
    return table


def bounds_of(metric: str, settings: Settings | None) -> str:
    """The threshold of a metric in words; empty if it has none."""
    threshold = getattr(settings.evaluation.thresholds, metric, None) if settings else None
    bounds = threshold.model_dump(exclude_none=True) if threshold else {}
    return ", ".join(f"{key.replace('_', ' ')} {bound:g}" for key, bound in bounds.items())


def _baseline(blessing: Mapping[str, Any]) -> str | None:
    model_id = blessing.get("baseline_model_id")
    return f"Model:{model_id}" if model_id else None


def _properties(artifact: Any) -> Mapping[str, Any]:
    return artifact.properties if artifact else {}


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def number(name: str, value: float) -> str:
    """A metric as it is printed."""
    return f"{value:.0f}" if name == "example_count" else f"{value:.4f}"


def data_line(data: Mapping[str, Any]) -> str:
    """Rows that were read, their splits, and rows that could not be read."""
    starts = data.get("starts") or {}
    since = {name: f" from {start}" for name, start in starts.items()}
    splits = ", ".join(f"{name} {n:,}{since.get(name, '')}" for name, n in data["splits"].items())
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in data["quarantined"].items())
    bad = sum(data["quarantined"].values())
    unread = f"{bad:,} quarantined ({reasons}): {data['quarantine']}"
    set_apart = unread if bad else "every row could be read"
    sample = "" if data.get("sample") is None else f"a sample of {data['sample']:,} of "
    return f"Data: {sample}{data['rows']:,} rows ({splits}); {set_apart}"
