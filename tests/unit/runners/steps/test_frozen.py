"""What is frozen of a run, and one line for each thing that is wrong with it."""

import pytest

from fareline.errors import TryLater, UserMistake
from runners.steps.claims import StoreLock, claimed
from runners.steps.frozen import FrozenRun, StepFiles, StepResult, require_node
from runners.steps.step import exit_code_of
from runners.workspace import Workspace

RUN = FrozenRun(
    "nightly-1", "taxi", {"ExampleGen": [], "Trainer": ["ExampleGen"]}, "/push", None, "f" * 64,
    "5" * 64, True, 1.5,
)  # fmt: skip


@pytest.fixture
def files(tmp_path):
    return StepFiles(Workspace(tmp_path), "nightly-1")


def test_a_run_is_read_as_it_was_frozen(files):
    assert not files.has_begun()
    files.freeze(RUN, b"graph")
    assert (files.read(), files.read_graph()) == (RUN, b"graph")


def test_results_are_those_of_the_last_attempt(files):
    files.freeze(RUN, b"")
    assert files.result("Trainer") is None
    failed = StepResult("nightly-1", "Trainer", "failed", 2.5, error="no luck")
    files.note_result(failed)
    assert files.result("Trainer") == failed
    files.forget_result("Trainer")
    assert files.result("Trainer") is None


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"state": "executed"}, 0),
        ({"state": "cached"}, 0),
        ({"state": "failed", "error": "no luck"}, 1),
        ({"state": "executed", "refused": True}, 3),
        ({"state": "cached", "refused": True}, 3),
        ({"state": "failed", "error": "drift", "gate": "DataGate"}, 10),
        ({"state": "blocked", "gate": "DataGate"}, 10),
    ],
)
def test_exit_codes(result, code):
    assert exit_code_of(StepResult("nightly-1", "Pusher", **result)) == code


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "a/b", "../a", "-a", "a b", "a" * 129, "ä", "a\n"]
)
def test_an_id_that_names_no_folder_is_refused(tmp_path, run_id):
    with pytest.raises(UserMistake, match="is not a run id; expected letters, digits, points"):
        StepFiles(Workspace(tmp_path), run_id)


def test_an_unknown_run_and_an_unknown_node_say_what_is_near(tmp_path, files):
    files.freeze(RUN, b"")
    with pytest.raises(UserMistake) as mistake:
        StepFiles(Workspace(tmp_path), "nightly-2").read()
    assert str(mistake.value) == (
        f"nightly-2: no run of this id has begun in {tmp_path}; expected that of a run of steps. "
        "Hint: did you mean nightly-1? `fareline step begin --run nightly-2` begins it."
    )
    with pytest.raises(UserMistake) as mistake:
        require_node(RUN, "Trainner")
    assert str(mistake.value) == (
        "Trainner: taxi has no such node; expected one of ExampleGen, Trainer. "
        "Hint: did you mean Trainer? `fareline step graph` lists them."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run_id": "nightly-1"}', '{"other": 1}'])
@pytest.mark.parametrize("name", ["run.json", "results/Trainer.json"])
def test_a_damaged_file_is_one_line(files, name, text):
    files.freeze(RUN, b"")
    files.note_result(StepResult("nightly-1", "Trainer", "executed"))
    (files.folder / name).write_text(text)
    with pytest.raises(UserMistake) as mistake:
        files.read(), files.result("Trainer")
    assert str(mistake.value).startswith(f"{files.folder / name}: cannot be read (")


def test_the_store_is_held_by_one_process_and_nobody_waits_for_ever(tmp_path):
    first, second = (StoreLock(tmp_path / "lock", seconds=s) for s in (5, 0.05))
    held = pytest.raises(TryLater, match="another process has held it for 0 s")
    with first, first, held:  # again, as RLock
        second.acquire()
    with second:
        pass
    with second:  # what could not be had is not half held
        pass


def test_a_claim_is_one_processes(tmp_path):
    path, said = tmp_path / "claims" / "Trainer", "Trainer of a: another process is at work on it"
    with (
        claimed(path, "Trainer of a"),
        pytest.raises(TryLater, match=said),
        claimed(path, "Trainer of a"),
    ):
        pass
