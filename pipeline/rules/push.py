"""Rules for a push: the region, and conditions on metrics, also `when` of a hook in `loop.hooks`.

Imports neither TFX nor TensorFlow.
"""

from collections.abc import Iterator, Sequence

from fareline.near import guess
from pipeline.rules.regions import find_unknown_region
from pipeline.settings.conditions import Condition
from pipeline.settings.metrics import metric_named, metrics_of_task
from pipeline.settings.settings import Settings


def find_push_mistakes(settings: Settings) -> Iterator[str]:
    """The region exists; conditions are about metrics that Evaluator measures, and can be met."""
    if settings.push.vertex is not None:
        yield from find_unknown_region(settings.push.vertex, "push.vertex")
    yield from _find_mistakes(settings, "push.when", settings.push.when)
    for place, hook in enumerate(settings.loop.hooks):
        yield from _find_mistakes(settings, f"loop.hooks.{place}.when", hook.when)


def _find_mistakes(
    settings: Settings, setting: str, conditions: Sequence[Condition]
) -> Iterator[str]:
    known = [*[m.name for m in metrics_of_task(settings.task)], *settings.code.metrics]
    for number, condition in enumerate(conditions):
        where = f"{setting}.{number}"
        if condition.metric not in known:
            yield (
                f"{where}.metric: found {condition.metric}; expected one of {', '.join(known)}, "
                f"the metrics of task {settings.task}. Hint: "
                f"{guess(condition.metric, known)}metrics of your own stand in code.metrics."
            )
            continue
        metric = metric_named(condition.metric)
        beyond = []
        if None not in (condition.at_least, metric.high) and condition.at_least > metric.high:
            beyond.append(("at_least", condition.at_least, metric.high))
        if None not in (condition.at_most, metric.low) and condition.at_most < metric.low:
            beyond.append(("at_most", condition.at_most, metric.low))
        for name, bound, limit in beyond:
            yield (
                f"{where}.{name}: found {bound:g}; expected a value that {metric.name} can have, "
                f"which ends at {limit:g}. Hint: correct the bound."
            )
