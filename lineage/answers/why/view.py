"""The answer to why, in lines of text: the same in `fareline why` and in the summary of a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineage.text.harmless import plain
from lineage.text.times import clock_of

_GOOD, _BAD, _OPEN = "  ✓ ", "  ✗ ", "  · "
_NOT_RECORDED = "why is not recorded: stock TFX, or an older version, judged it"
_COUNTS = ("example_count",)
# Budget, what was measured, in words.
_MEASURED = (
    ("memory_mb", "peak_memory_mb", "memory in MiB"),
    ("size_mb", "size_mb", "size in MiB"),
    ("load_seconds", "load_seconds", "loading in s"),
)
_LOSSES = {"at_most_below_baseline": "below", "at_most_above_baseline": "above"}


def why_lines(why: Mapping[str, Any]) -> list[str]:
    """The whole answer, headed by the model."""
    of_run = f" of {why['run_id']}" if why["run_id"] else ""
    sample = f"sample of {why['sample']:,} rows" if why.get("sample") else None
    beside = ", ".join(filter(None, (why["pipeline"], sample)))
    of_pipeline = f" ({beside})" if beside else ""
    head = plain(f"{why['model'] or 'No model'}{of_run}{of_pipeline}")
    running = (
        f"{plain(each)} is marked as running: it is at work, or its process was killed; "
        "`fareline lineage verify` tells which"
        for each in why.get("running", ())
    )
    return [head, *_failures(why.get("failed", ())), *running, *judgement_lines(why)]


def _failures(failed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in failed:
        error = each["error"].removesuffix(".") if each["place"] else each["error"]
        where = f", at {each['place']}" if each["place"] else ""
        yield plain(f"{each['node']} failed: {error}{where}", limit=None)


def judgement_lines(why: Mapping[str, Any]) -> list[str]:
    """The results of all checks, and the outcome."""
    return [
        plain(line, limit=None)
        for part in (
            _evaluator(why["evaluator"]),
            _infra_validator(why["infra_validator"]),
            _pusher(why["pusher"]),
            _on_vertex(why.get("on_vertex")),
        )
        for line in part
    ]


def refusals(why: Mapping[str, Any]) -> list[str]:
    """Every reason why the model was not pushed, one sentence each."""
    evaluator, infra, pusher = why["evaluator"], why["infra_validator"], why["pusher"]
    verdict = evaluator["verdict"] or {}
    found = [_sentence(c, evaluator["baseline"]) for c in _failed(verdict)]
    found += verdict.get("refusals", [])
    if not found:
        found += verdict.get("tfma_refusals", [])
    if infra["blessed"] is False:
        found.append(f"infra validation: {infra['message'] or 'refused'}")
    is_held_back = pusher["not_pushed_because"] and not pusher.get("sample")
    if evaluator["blessed"] and infra["blessed"] and is_held_back:
        found.append(f"push: {pusher['not_pushed_because']}")
    return found


def _evaluator(told: Mapping[str, Any]) -> Iterator[str]:
    if told["blessed"] is None:
        yield f"Blessed by Evaluator: not checked ({_absence(told)})"
        return
    verdict = told["verdict"]
    yield f"Blessed by Evaluator: {_yes(told['blessed'])} ({_compared(told)})"
    if verdict is None:
        yield f"{_OPEN}{_NOT_RECORDED}"
        return
    failed = _failed(verdict)
    refused = verdict.get("refusals", [])
    yield from (f"{_BAD}{sentence}" for sentence in refused)
    yield from (f"{_OPEN}{sentence}" for sentence in verdict.get("warnings", ()))
    yield from (f"{_BAD}{_sentence(check, told['baseline'])}" for check in failed)
    if not failed and not refused:
        yield from (f"{_BAD}{sentence}" for sentence in verdict["tfma_refusals"])
    passed = [check for check in verdict["checks"] if check["passed"]]
    for check in passed:
        if not check["group"] or check["kind"] == "max_gap":
            yield f"{_GOOD}{_sentence(check, told['baseline'])}"
    if told["blessed"]:
        yield from few_examples_lines(verdict)
    of_slices = [c for c in passed if c["group"] and c["kind"] != "max_gap"]
    yield from _passed_slices(of_slices, told["baseline"])
    yield from reference_lines(verdict)
    yield from _not_counted([c for c in verdict["checks"] if not c["counted"]])
    yield from _hard_spots(verdict)


def few_examples_lines(verdict: Mapping[str, Any]) -> Iterator[str]:
    """A note if all examples are fewer than the minimum of a slice."""
    least = verdict["min_slice_examples"]
    counts = [
        check["examples"]
        for check in verdict["checks"]
        if check["passed"] and not check["group"] and check["examples"] is not None
    ]
    if counts and min(counts) < least:
        noun = "example" if min(counts) == 1 else "examples"
        yield (
            f"{_OPEN}evaluated on only {min(counts):,} {noun}; a slice of fewer than "
            f"{least:,} does not count (evaluation.min_slice_examples), and "
            "gate.coverage.min_examples refuses data with too few"
        )


def reference_lines(verdict: Mapping[str, Any]) -> Iterator[str]:
    """Metrics of gradient boosting beside those of the model."""
    found = verdict.get("reference")
    if not found:
        return
    values = [
        f"{name} {_figure(value)} (the model: {_figure(found['model'].get(name))})"
        for name, value in found["metrics"].items()
    ]
    rows = f"{found['train_rows']:,} rows"
    yield f"{_OPEN}gradient {found['kind']} on the same split, from {rows}: {', '.join(values)}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _compared(told: Mapping[str, Any]) -> str:
    decision = told["decision"]
    by = ""
    if decision:
        by = f" by {decision['user']}, {clock_of(decision['created'])}: {decision['reason']}"
    left_out = "".join(
        f"; {one['model']} is left out, {_withdrawn(one)}" for one in told["left_out"]
    )
    if told["baseline"]:
        return f"compared with {told['baseline']}" + (f", pinned{by}" if decision else left_out)
    if decision:
        return f"baseline reset{by}; only thresholds apply"
    if left_out:
        return f"no other blessed model to compare with: only thresholds apply{left_out}"
    return "no blessed model to compare with yet: only thresholds apply"


def _withdrawn(model: Mapping[str, Any]) -> str:
    return f"{model['user']} rolled back from it: {model['reason']}"


def _failed(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for c in verdict.get("checks", ()) if c["counted"] and not c["passed"]]


def _sentence(check: Mapping[str, Any], baseline: str | None) -> str:
    """One check: metric, slice, value, what was expected, how many examples."""
    metric, where, kind = check["metric"], check["slice"], check["kind"]
    bound = f"{check['bound']:.4g}"
    if kind == "max_gap":
        (best, high), (worst, low) = check["best"], check["worst"]
        ends = f"{_number(metric, high)} on {best}, {_number(metric, low)} on {worst}"
        said = f"{metric} differs by {_number(metric, check['value'])} between slices of {where}"
        return f"{said} ({ends}); expected at most {bound}"
    expected = f"expected {kind.replace('_', ' ')} {bound}"
    examples = f" ({check['examples']:,} examples)"
    if check["value"] is None:
        return f"{metric} is undefined on {where}; {expected}{examples}"
    said = f"{metric} is {_number(metric, check['value'])} on {where}"
    if kind in _LOSSES:
        said += _change(check, baseline)
        expected = f"expected at most {bound} {_LOSSES[kind]}"
    if check["interval"]:
        low, high = (f"{end:.4f}" for end in check["interval"])
        of = " of the change" if kind in _LOSSES else ""
        end = "lower" if kind in ("at_least", "at_most_below_baseline") else "upper"
        said += f" (95 % interval{of} {low} to {high}, of which the {end} end counts)"
    return f"{said}; {expected}{examples}"


def _change(check: Mapping[str, Any], baseline: str | None) -> str:
    if check["baseline"] is None:
        return f", undefined for {baseline}"
    change = check["value"] - check["baseline"]
    side = "above" if change > 0 else "below"
    value = _number(check["metric"], check["baseline"])
    if change == 0:
        return f", as {baseline}'s"
    return f", {abs(change):.4f} {side} {baseline}'s {value}"


def _passed_slices(checks: Sequence[Mapping[str, Any]], baseline: str | None) -> Iterator[str]:
    """Slices that keep a bound, all by the same columns in one line."""
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for check in checks:
        key = (check["group"], check["metric"], check["kind"], check["bound"])
        groups.setdefault(key, []).append(check)
    for (group, metric, kind, bound), found in groups.items():
        if len(found) == 1:
            yield f"{_GOOD}{_sentence(found[0], baseline)}"
            continue
        sign = -1 if kind == "at_least" else 1
        worst = max(found, key=lambda c: sign * c["judged"])
        told = f"{_number(metric, worst['value'])} on {worst['slice']}"
        kept = f"{kind.replace('_', ' ')} {bound:.4g}"
        yield f"{_GOOD}{metric} is {kept} on {len(found)} slices of {group}; the worst: {told}"


def _not_counted(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    groups: dict[tuple, dict[str, None]] = {}
    for check in checks:
        subject = check["metric"]
        if check["kind"] == "max_gap":
            subject = f"the gap of {subject}"
        key = (subject, check["group"], check["not_counted"])
        groups.setdefault(key, {})[check["slice"]] = None
    for (subject, group, why), names in groups.items():
        where = next(iter(names)) if len(names) == 1 else f"{len(names)} slices of {group}"
        yield f"{_OPEN}{subject} does not count on {where}: {why}"


def _hard_spots(verdict: Mapping[str, Any]) -> Iterator[str]:
    main = verdict["main_metric"]
    if verdict["worst"]:
        least = f"{verdict['min_slice_examples']} examples"
        if verdict["min_label_examples"] is not None:
            least += f" and {verdict['min_label_examples']} of each label"
        yield f"Worst slices by {main}, of those with at least {least}:"
        width = max(len(one["name"]) for one in verdict["worst"])
        for one in verdict["worst"]:
            count = one["metrics"].get("example_count") or 0
            value = _number(main, one["metrics"].get(main))
            yield f"    {one['name']:<{width}}  {value}  ({count:,.0f} examples)"
    for gap in verdict["gaps"]:
        (best, high), (worst, low) = gap["best"], gap["worst"]
        ends = f"{_number(main, high)} on {best}, {_number(main, low)} on {worst}"
        yield f"Gap of {main} by {gap['slices']}: {_number(main, gap['gap'])} ({ends})"


def _infra_validator(told: Mapping[str, Any]) -> Iterator[str]:
    if told["blessed"] is None:
        yield f"Blessed by InfraValidator: not checked ({_absence(told)})"
        return
    yield f"Blessed by InfraValidator: {_yes(told['blessed'])}"
    if told["reason"] is None:
        yield f"{_OPEN}{_NOT_RECORDED}"
        return
    if not told["blessed"]:
        yield f"{_BAD}{told['reason']}: {told['message']}"
    measured, budgets = told["measured"], _mapping(told["budgets"])
    for batch in ("batch_1", "batch_32"):
        limits = _mapping(_mapping(budgets.get("latency_ms")).get(batch))
        parts = [
            _against(name, measured[f"{batch}_{name}_ms"], limits.get(name))
            for name in ("p50", "p95", "p99")
            if f"{batch}_{name}_ms" in measured
        ]
        if parts:
            size = batch.removeprefix("batch_")
            yield f"    latency in ms at batch {size}: {', '.join(parts)}"
    parts = [
        _against(said, measured[name], budgets.get(budget))
        for budget, name, said in _MEASURED
        if name in measured
    ]
    if parts:
        yield f"    {', '.join(parts)}"


def _pusher(told: Mapping[str, Any]) -> Iterator[str]:
    if told["pushed"]:
        yield f"Pushed to {told['destination']}"
    elif told["pushed"] is None:
        yield f"No model was pushed ({_absence(told)})"
    elif told.get("sample"):
        yield f"Not pushed: {told['not_pushed_because']}"
    else:
        yield "Refused: no model was pushed."
        yield f"{_OPEN}{told['not_pushed_because'] or _NOT_RECORDED}"


def _on_vertex(told: Mapping[str, Any] | None) -> Iterator[str]:
    if told is None:
        return
    if told["pushed"]:
        yield f"Pushed to {told['destination']}"
        traffic = _mapping(told["traffic"])
        shares = [f"version {version}: {percent} %" for version, percent in traffic.items()]
        yield f"    requests, as recorded then: {', '.join(shares) or 'no version is deployed'}"
        if told["not_shown_because"]:
            yield f"    evaluation or lineage not written there: {told['not_shown_because']}"
        if told["not_undone_because"]:
            yield f"    left by an earlier push: {told['not_undone_because']}"
        if told["tensorboard_command"]:
            yield f"    curves to Vertex AI TensorBoard: {told['tensorboard_command']}"
    elif told["pushed"] is None:
        yield f"No model was pushed to Vertex AI ({_absence(told)})"
    else:
        yield f"Not pushed to Vertex AI: {told['not_pushed_because'] or _NOT_RECORDED}"


def _absence(told: Mapping[str, Any]) -> str:
    if told["execution"] is None:
        return "there is none in the run"
    if told["state"] in ("executed", "cached"):
        return "it has no outputs"
    return f"{told['execution']} is {told['state']}"


def _against(name: str, value: float, budget: Any) -> str:
    is_number = isinstance(budget, int | float)
    return f"{name} {value:,.1f}" + (f" of {budget:,.6g}" if is_number else "")


def _mapping(value: Any) -> Mapping[str, Any]:
    """What is recorded is JSON, and may be that of an older version."""
    return value if isinstance(value, Mapping) else {}


def _number(metric: str, value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:,.0f}" if metric in _COUNTS else f"{value:.4f}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
