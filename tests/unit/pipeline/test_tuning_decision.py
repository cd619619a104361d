"""Whether Tuner searches: each reason for it alone, several at once, and none."""

import copy
import hashlib
import json

import pytest

from fareline.recorded import MODEL_CODE_SHA256, SEARCH_SHA256, TARGET_SHA256, TUNING_DECISION
from pipeline.tuning_decision import Decision, Drift, Last, decide, digests_of

CONFIG = {
    "source_fingerprint": "c0de",
    "task": "binary",
    "features": {"numeric": {"fare": {"log": True}}},
    "label": {"column": "tips"},
    "training": {"batch_size": 256},
    "tuning": {"search": {"width": [32, 64]}, "steps": 120},
}
DIGESTS = digests_of(CONFIG)
LAST = Last(12, {**DIGESTS, TUNING_DECISION: "searched"})
SAME = "same search space, model code, task, features, label and weighting; "


def test_the_digests_are_of_what_a_search_is_for():
    target = {name: CONFIG[name] for name in ("task", "features", "label")}
    assert {
        MODEL_CODE_SHA256: "c0de",
        TARGET_SHA256: hashlib.sha256(json.dumps(target, sort_keys=True).encode()).hexdigest(),
        SEARCH_SHA256: hashlib.sha256(b'{"width": [32, 64]}').hexdigest(),
    } == DIGESTS
    assert SEARCH_SHA256 not in digests_of({**CONFIG, "tuning": {"hyperparameters": {}}})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("always", Decision("searched")),
        ("never", Decision("given", ("tuning.policy is never",))),
        ("on_drift", Decision("searched", ("no blessed model on other data yet",))),
    ],
)
def test_without_earlier_hyperparameters(policy, expected):
    assert decide(policy, DIGESTS) == expected


def test_always_and_never_ask_nothing_of_earlier_ones():
    drift = Drift(30, ["fare: up"])
    assert decide("always", DIGESTS, LAST, drift) == Decision("searched")
    assert decide("never", DIGESTS, LAST, drift).decision == "given"


@pytest.mark.parametrize(
    ("drift", "said"), [(None, "drift is not measured"), (Drift(30, []), "no drift")]
)
def test_what_is_as_it_was_is_reused(drift, said):
    assert decide("on_drift", DIGESTS, LAST, drift) == Decision("reused", (SAME + said,), 12)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("tuning.search.width", [32], "search space changed"),
        ("source_fingerprint", "other", "model code changed"),
        ("task", "regression", "task, features, label or weighting changed"),
        ("features.numeric.fare.log", False, "task, features, label or weighting changed"),
        ("label.column", "fare", "task, features, label or weighting changed"),
    ],
)
def test_a_change_calls_for_a_search(path, value, reason):
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for name in parents:
        section = section[name]
    section[last] = value
    assert decide("on_drift", digests_of(config), LAST) == Decision("searched", (reason,))


@pytest.mark.parametrize(("section", "value"), [("training", {}), ("seed", 3)])
def test_what_a_search_is_not_for_calls_for_none(section, value):
    assert decide("on_drift", digests_of({**CONFIG, section: value}), LAST).decision == "reused"


def test_drift_calls_for_a_search_with_every_measure_as_a_reason():
    drift = Drift(
        30, ["fare: share up to 7.25 50.1 % -> 46.3 %", "company: share of Top 9 % -> 4 %"]
    )
    assert decide("on_drift", DIGESTS, LAST, drift) == Decision("searched", tuple(drift.reasons))


def test_drift_of_earlier_data_calls_for_a_search_until_a_model_is_blessed():
    earlier = [Drift(21, ["fare: up"]), Drift(24, [])]
    assert decide("on_drift", DIGESTS, LAST, Drift(30, []), earlier) == Decision(
        "searched", ("fare: up (DataDrift:21, and no model was blessed since)",)
    )


def test_every_reason_is_given():
    digests = {**DIGESTS, SEARCH_SHA256: "other", MODEL_CODE_SHA256: "other"}
    found = decide("on_drift", digests, LAST, Drift(30, ["fare: up"]), [Drift(21, ["fare: down"])])
    assert found.reasons == (
        "search space changed",
        "model code changed",
        "fare: up",
        "fare: down (DataDrift:21, and no model was blessed since)",
    )


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {**DIGESTS, TUNING_DECISION: "given"},
            "HyperParameters:12 of the last blessed model was given by the settings",
        ),
        (
            {},
            "what HyperParameters:12 of the last blessed model was searched for is not recorded",
        ),
    ],
)
def test_what_no_search_has_found_is_not_reused(properties, reason):
    found = decide("on_drift", DIGESTS, Last(12, properties))
    assert found == Decision("searched", (reason,))
