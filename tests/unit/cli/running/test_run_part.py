"""`fareline run --from`, `--to`, `--only`: what is asked for, and one line for what cannot be."""

import pytest

from cli.run import _part, _refuse_beside_spec, _require_words
from fareline.errors import UserMistake
from runners.part import Part


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (((), (), None, None), None),
        ((["Trainer"], (), None, None), Part(("Trainer",), ())),
        (((), ["Tuner", "Evaluator"], None, "run-1"), Part((), ("Tuner", "Evaluator"), "run-1")),
        (((), (), "Pusher", None), Part(("Pusher",), ("Pusher",))),
    ],
)
def test_what_is_asked_for(asked, part):
    assert _part(*asked) == part


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((["Trainer"], (), "Pusher", None), "--only: given together with --from or --to; "),
        (((), ["Trainer"], "Pusher", None), "--only: given together with --from or --to; "),
        (((), (), None, "run-1"), "--reuse: given without a part of the graph; "),
    ],
)
def test_what_does_not_go_together(asked, said):
    with pytest.raises(UserMistake) as mistake:
        _part(*asked)
    assert str(mistake.value).startswith(said)


@pytest.mark.parametrize("tags", [[""], ["nightly", "  "]])
def test_an_empty_tag_is_refused(tags):
    with pytest.raises(UserMistake, match="--tag: is empty; expected a word to find the run by"):
        _require_words(tags)
    _require_words(["nightly", "a b"])


@pytest.mark.parametrize(
    "asked",
    [
        (Part(("A",)), False, "", None, None),
        (None, True, "", None, None),
        (None, False, "n", None, None),
        (None, False, "", ["t"], None),
        (None, False, "", None, 100),
    ],
)
def test_a_specification_is_executed_whole(asked):
    with pytest.raises(UserMistake, match="--spec: given together with a part of the graph"):
        _refuse_beside_spec(*asked)
    _refuse_beside_spec(None, False, "", None, None)
