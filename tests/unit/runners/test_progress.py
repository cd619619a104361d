"""The table of nodes, on a terminal and line by line; what libraries print goes to the log."""

import dataclasses
import io
import os
import re
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from rich.console import Console

from fareline.packages import CHECKOUT
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from runners import progress
from runners.local.estimate import usual_seconds
from runners.local.reading_progress import describe_reading
from runners.local.training_progress import describe_search, describe_training
from runners.outcome.summary import data_line
from runners.progress import NodeState, ProgressTable, output_to
from tests.stores.writer import CACHED, COMPLETE, RUNNING, StoreWriter


@dataclasses.dataclass
class Node:
    """What the table needs of a node; `runners.local.runner.NodeResult` without TFX."""

    name: str
    state: NodeState = NodeState.WAITING
    seconds: float = 0.0


def nodes():
    return [
        Node("ExampleGen", NodeState.CACHED, 0.04),
        Node("Transform", NodeState.EXECUTED, 12.34),
        Node("Trainer", NodeState.FAILED, 3.0),
        Node("Evaluator", NodeState.SKIPPED),
        Node("Pusher"),
    ]


def screen(terminal):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=80,
        color_system=None,
        legacy_windows=False,
    )


def rendered(table):
    console = screen(False)
    console.print(table)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_off_a_terminal_each_finished_node_is_one_line():
    console = screen(False)
    table = ProgressTable(console, "taxi · run-1")
    with table.shown():
        table.add_nodes(nodes())
        for node in nodes()[:4]:
            table.update(Node(node.name, NodeState.RUNNING))
            table.update(node)
    assert console.file.getvalue().splitlines() == [
        "taxi · run-1",
        "= ExampleGen         cached       0.0 s",
        "✓ Transform          executed    12.3 s",
        "✗ Trainer            failed       3.0 s",
        "- Evaluator          skipped      0.0 s",
    ]


def test_the_table_of_a_terminal():
    table = ProgressTable(screen(True), "taxi · run-1")
    table.add_nodes(nodes())
    assert rendered(table) == [
        ["taxi", "·", "run-1", "·", "4", "of", "5", "nodes"],
        ["node", "state", "seconds"],
        ["=", "ExampleGen", "cached", "0.0"],
        ["✓", "Transform", "executed", "12.3"],
        ["✗", "Trainer", "failed", "3.0"],
        ["-", "Evaluator", "skipped"],
        ["·", "Pusher", "waiting"],
    ]


def test_a_running_node_shows_its_seconds_so_far(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    table = ProgressTable(screen(True), "taxi")
    running = Node("Trainer", NodeState.RUNNING)
    table.add_nodes([running])
    table.update(running)
    clock[0] = 107.25
    assert rendered(table)[-1] == ["▶", "Trainer", "running", "7.2"]


def test_a_terminal_ends_with_the_last_state_of_all_nodes():
    console = screen(True)
    table = ProgressTable(console, "taxi · run-1")
    with table.shown():
        waiting = Node("Transform")
        table.add_nodes([waiting])
        waiting.state, waiting.seconds = NodeState.EXECUTED, 2.5
        table.update(waiting)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).split("seconds")[-1]
    assert last.split() == ["✓", "Transform", "executed", "2.5"]


def test_states_differ_in_sign_and_word_and_not_in_colour_alone():
    shown = []
    for state in NodeState:
        table = ProgressTable(screen(True), "t")
        table.add_nodes([Node("Node", state)])
        sign, _, word = rendered(table)[-1]
        assert word == state.value
        shown.append(sign)
    assert len(set(shown)) == len(NodeState)


def test_states_are_the_words_of_the_json_answer():
    assert {state.value for state in NodeState if state.is_success} == {"executed", "cached"}
    assert {state.value for state in NodeState} == {
        "waiting", "running", "executed", "cached", "failed", "skipped", "not_triggered",
    }  # fmt: skip


# output_to, in a process of its own: pytest holds this one's descriptors.


def run_python(code, tmp_path):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run.log")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


IMPORTS = """
import os, subprocess, sys
from pathlib import Path
from runners.progress import output_to
log = Path(sys.argv[1])
"""


def test_what_libraries_write_goes_to_the_log_and_the_console_to_the_user(tmp_path):
    (tmp_path / "run.log").write_text("kept\n")
    ran = run_python(
        IMPORTS
        + """
print("before")
with output_to(log) as console:
    os.write(1, b"C++ to stdout\\n")
    os.write(2, b"C++ to stderr\\n")
    print("Python to stdout", flush=True)
    print("Python to stderr", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo a child"])
    print("unflushed", end="")
    console.print("for the user")
os.write(1, b"after to stdout\\n")
os.write(2, b"after to stderr\\n")
console.print("still for the user")
""",
        tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "before\nafter to stdout\n"
    assert ran.stderr == "for the user\nafter to stderr\nstill for the user\n"
    assert (tmp_path / "run.log").read_text() == (
        "kept\nC++ to stdout\nC++ to stderr\nPython to stdout\nPython to stderr\na child\nunflushed"
    )


def test_both_descriptors_are_restored_after_an_exception(tmp_path):
    ran = run_python(
        IMPORTS
        + """
try:
    with output_to(log):
        os.write(1, b"in the log\\n")
        raise KeyboardInterrupt
except KeyboardInterrupt:
    os.write(1, b"to stdout\\n")
    os.write(2, b"to stderr\\n")
""",
        tmp_path,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "to stdout\n", "to stderr\n")
    assert (tmp_path / "run.log").read_text() == "in the log\n"


def test_a_log_that_cannot_be_opened_leaves_the_descriptors(tmp_path):
    before = [os.fstat(fd).st_ino for fd in (1, 2)]
    with pytest.raises(FileNotFoundError), output_to(tmp_path / "absent" / "run.log"):
        pass
    assert [os.fstat(fd).st_ino for fd in (1, 2)] == before


def test_a_running_node_says_how_far_it_is():
    table = ProgressTable(screen(True), "title", {"ExampleGen": lambda seconds: "5 rows, 2/s"})
    running, waiting = Node("ExampleGen", NodeState.RUNNING), Node("Trainer", NodeState.RUNNING)
    table.add_nodes([running, waiting])
    table.update(running)
    lines = rendered(table)
    assert [words[:7] for words in lines[2:]] == [
        ["▶", "ExampleGen", "running", "5", "rows,", "2/s", lines[2][6]],
        ["▶", "Trainer", "running"],
    ]
    running.state = NodeState.EXECUTED
    assert "rows," not in rendered(table)[2]


def test_rows_so_far_are_those_of_all_pieces_of_the_read_that_goes_on(tmp_path):
    assert describe_reading(tmp_path, 2.0) == ""
    notes = tmp_path / "ExampleGen/.system/executor_execution/7/.temp/7/example_gen/progress"
    notes.mkdir(parents=True)
    (notes / "00000").write_text("1200000")
    (notes / "00001").write_text("34567")
    (notes / "00002").write_text("")  # just being written
    assert describe_reading(tmp_path, 2.0) == "1,234,567 rows, 617,284/s"


def test_the_line_about_the_data():
    data = {"rows": 15002, "splits": {"train": 8000, "eval": 7000}, "quarantined": {}}
    assert data_line(data | {"quarantine": None}) == (
        "Data: 15,002 rows (train 8,000, eval 7,000); every row could be read"
    )
    bad = {"quarantined": {"not_utf8": 2}, "quarantine": "/ws/q.jsonl"}
    assert data_line(data | bad) == (
        "Data: 15,002 rows (train 8,000, eval 7,000); 2 quarantined (not_utf8 2): /ws/q.jsonl"
    )
    by_time = {"starts": {"eval": 1467331200}, "quarantine": None}
    assert data_line(data | by_time) == (
        "Data: 15,002 rows (train 8,000, eval 7,000 from 1467331200); every row could be read"
    )


def test_without_a_terminal_a_long_node_says_now_and_then_how_far_it_is(monkeypatch):
    monkeypatch.setattr(progress, "DETAIL_SECONDS", 0.01)
    said = iter(["", "5 rows, 2/s", "9 rows, 3/s"])
    console = screen(False)
    table = ProgressTable(console, "title", {"ExampleGen": lambda seconds: next(said, "")})
    running, silent = Node("ExampleGen", NodeState.RUNNING), Node("Trainer", NodeState.RUNNING)
    table.add_nodes([running, silent])
    with table.shown():
        for node in (running, silent):
            table.update(node)
        deadline = time.monotonic() + 60
        while console.file.getvalue().count("\n") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.state, running.seconds = NodeState.EXECUTED, 4.2
        table.update(running)
    lines = [re.sub(r" +\d+\.\d s", " N s", line) for line in console.file.getvalue().splitlines()]
    assert lines == [
        "title",
        "▶ ExampleGen         running N s  5 rows, 2/s",
        "▶ ExampleGen         running N s  9 rows, 3/s",
        "✓ ExampleGen         executed N s",
    ]
    assert "progress" not in [thread.name for thread in threading.enumerate()]


# How far a run is, and how far its nodes are.


def test_before_the_first_node_there_is_something_to_read():
    title, waits = rendered(ProgressTable(screen(True), "taxi · run-1"))
    assert (title, " ".join(waits)) == (
        ["taxi", "·", "run-1"], "loading TFX, which takes some seconds",
    )  # fmt: skip


def test_the_title_says_how_many_nodes_have_ended_and_what_is_left_at_most():
    table = ProgressTable(screen(True), "taxi · run-1")
    table.add_nodes(nodes())
    assert rendered(table)[0] == ["taxi", "·", "run-1", "·", "4", "of", "5", "nodes"]
    table.usual = {"Transform": 9.0, "Pusher": 3.4, "Other": 100.0}
    assert " ".join(rendered(table)[0]) == "taxi · run-1 · 4 of 5 nodes, up to 3 s more"


def test_an_estimate_is_of_the_run_that_executed_most(tmp_path):
    path = tmp_path / "metadata.db"
    writer = StoreWriter(path)
    assert usual_seconds(Graph(open_store(path)), "taxi") == {}
    start = 1_767_268_800_000
    writer.add_run("taxi", "run-1", start, {"A": (COMPLETE, 4.0), "B": (COMPLETE, 8.0)})
    writer.add_run("taxi", "run-2", start + 60_000, {"A": (CACHED, 0.1), "B": (COMPLETE, 6.0)})
    writer.add_run("bikes", "run-3", start + 90_000, {"A": (COMPLETE, 50.0)})
    # Both began together: the run took eight seconds of the twelve.
    found = usual_seconds(Graph(open_store(path)), "taxi")
    assert found == pytest.approx({"A": 8 / 3, "B": 16 / 3})
    writer.add_run("trucks", "run-4", start + 99_000, {"A": (RUNNING, 1.0)})
    assert usual_seconds(Graph(open_store(path)), "trucks") == {}


KERAS = """\
Search: Running Trial #1
Value |Best Value So Far |Hyperparameter
120/120 - 2s - 20ms/step - auc: 0.9505 - loss: 0.2154 - val_auc: 0.9542 - val_loss: 0.1999
Trial 1 Complete [00h 00m 03s]
Best val_auc So Far: 0.9541643857955933
Search: Running Trial #2
"""
FIT = """\
Epoch 1/20
32/32 - 5s - 154ms/step - auc: 0.8410 - loss: 0.3963 - val_auc: 0.9474 - val_loss: 0.2260
Epoch 2/20
32/32 - 0s - 4ms/step - auc: 0.9510 - loss: 2.061e-01 - val_auc: 0.9554 - val_loss: 0.2029
Epoch 3/20
"""


@pytest.mark.parametrize(
    ("said", "search", "training"),
    [
        ("", "", ""),
        ("anything else\n", "", ""),
        (KERAS[:25], "trial 1 of 4", ""),
        (KERAS, "trial 2 of 4, best val_auc 0.9542", ""),
        (KERAS + FIT[:11], "trial 2 of 4, best val_auc 0.9542", ""),
        (KERAS + FIT, "trial 2 of 4, best val_auc 0.9542", "step 64 of 640, loss 0.2061"),
        ("x" * 100_000 + "\n" + FIT, "", "step 64 of 640, loss 0.2061"),
        ("Epoch 1/2\n3/3 - nonsense\n\xff\n", "", ""),
    ],
)
def test_search_and_training_say_how_far_they_are(tmp_path, said, search, training):
    log = tmp_path / "run.log"
    assert describe_search(log, 4, 1.0) == describe_training(log, 1.0) == ""
    log.write_text(said)
    assert describe_search(log, 4, 1.0) == search
    assert describe_training(log, 1.0) == training
