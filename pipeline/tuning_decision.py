"""Rules that decide whether Tuner searches for hyperparameters or reuses existing ones.

Called by pipeline.components.tuner. Imports neither TFX nor TensorFlow.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fareline.recorded import MODEL_CODE_SHA256, SEARCH_SHA256, TARGET_SHA256, TUNING_DECISION

ALWAYS, ON_DRIFT, NEVER = "always", "on_drift", "never"  # policies
SEARCHED, REUSED, GIVEN = "searched", "reused", "given"  # decisions

# What hyperparameters were searched for, by property, and what is said where it differs.
_CHANGES = {
    SEARCH_SHA256: "search space changed",
    MODEL_CODE_SHA256: "model code changed",
    TARGET_SHA256: "task, features, label or weighting changed",
}


@dataclasses.dataclass(frozen=True)
class Last:
    """The hyperparameters of the last blessed model.

    Attributes:
        id: Id of the HyperParameters artifact.
        properties: Properties that Tuner recorded with it.
    """

    id: int
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Drift:
    """Drift measures of one set of Examples that require a new search.

    Attributes:
        id: Id of the DataDrift artifact.
        reasons: One for each measure; empty if none does.
    """

    id: int
    reasons: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Decision:
    """The decision of Tuner.

    Attributes:
        decision: `searched`, `reused` or `given`.
        reasons: Why, in plain words.
        reused_from: Id of the HyperParameters to reuse.
    """

    decision: str
    reasons: Sequence[str] = ()
    reused_from: int | None = None


def digests_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Digest of the inputs of a search, as SHA-256 by the name of the recording property.

    Args:
        config: Options of Tuner: `source_fingerprint`, `task`, `features`, `label`, `weighting`
            where examples are weighed, and `tuning`, which has no `search` where nothing is
            searched.

    Returns:
        64 hexadecimal digits each; the same for the same settings and code.
    """
    about = ("task", "features", "label", "weighting")
    target = {name: config[name] for name in about if name in config}
    digests = {MODEL_CODE_SHA256: config["source_fingerprint"], TARGET_SHA256: _digest(target)}
    if "search" in config["tuning"]:
        digests[SEARCH_SHA256] = _digest(config["tuning"]["search"])
    return digests


def decide(
    policy: str,
    digests: Mapping[str, str],
    last: Last | None = None,
    drift: Drift | None = None,
    earlier: Sequence[Drift] = (),
) -> Decision:
    """Decides.

    Args:
        policy: `tuning.policy`.
        digests: From `digests_of`.
        last: To reuse; None if there are none.
        drift: Drift of the data; None if it was not compared with any.
        earlier: Drift of data before it, since the model of `last` was trained.

    Returns:
        The decision. Where it is to search, every reason that there is.
    """
    if policy == ALWAYS:
        return Decision(SEARCHED)
    if policy == NEVER:
        return Decision(GIVEN, ("tuning.policy is never",))
    if last is None:
        return Decision(SEARCHED, ("no blessed model on other data yet",))
    reasons = _changes(digests, last)
    if drift is not None:
        reasons += drift.reasons
    for each in earlier:
        since = f"DataDrift:{each.id}, and no model was blessed since"
        reasons += [f"{reason} ({since})" for reason in each.reasons]
    if reasons:
        return Decision(SEARCHED, tuple(reasons))
    measured = "no drift" if drift is not None else "drift is not measured"
    same = f"same search space, model code, task, features, label and weighting; {measured}"
    return Decision(REUSED, (same,), last.id)


def _changes(digests: Mapping[str, str], last: Last) -> list[str]:
    """How what is to be searched for differs from what the last ones were searched for."""
    where = f"HyperParameters:{last.id}"
    if last.properties.get(TUNING_DECISION) == GIVEN:
        return [f"{where} of the last blessed model was given by the settings"]
    if any(name not in last.properties for name in _CHANGES):
        return [f"what {where} of the last blessed model was searched for is not recorded"]
    return [said for name, said in _CHANGES.items() if last.properties[name] != digests[name]]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
