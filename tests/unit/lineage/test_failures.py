"""What an execution failed with, read from the texts that are kept of it."""

import json

import pytest
from ml_metadata.metadata_store import metadata_store

from fareline.packages import CHECKOUT
from lineage.facts.failures import RESULT, failure_of, place_in, read_failure
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from tests.stores.writer import COMPLETE, FAILED, StoreWriter

HEAD = "Traceback (most recent call last):\n"
OURS = f'  File "{CHECKOUT}/models/trainer.py", line 57, in run_fn\n    fit(model)\n'
THEIRS = '  File "/home/me/taxi/code.py", line 3, in clean\n    x / 0\n'
LAUNCHING = f'  File "{CHECKOUT}/runners/local/launching.py", line 7, in _launch\n    f()\n'
LIBRARY = '  File "/v/lib/python3.10/site-packages/keras/src/a.py", line 9, in f\n    g()\n'
PYTHON = '  File "/usr/lib/python3.13/json/decoder.py", line 9, in f\n    g()\n'
FROZEN = '  File "<frozen importlib._bootstrap>", line 1, in f\n'


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        (OURS + LIBRARY, "models/trainer.py:57, in run_fn"),
        (OURS + THEIRS, "/home/me/taxi/code.py:3, in clean"),
        (THEIRS + OURS + PYTHON + FROZEN, "models/trainer.py:57, in run_fn"),
        (LIBRARY + PYTHON, None),
        (LAUNCHING + LIBRARY, None),
        (LAUNCHING + OURS + LIBRARY, "models/trainer.py:57, in run_fn"),
        ("", None),
    ],
)
def test_the_last_frame_that_is_not_a_librarys(frames, place):
    assert place_in(f"{HEAD}{frames}ValueError: no") == place


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"{HEAD}{OURS}ValueError: no", "ValueError: no"),
        (f"{HEAD}{OURS}ValueError: no\n  and more\nof it", "ValueError: no"),
        (
            f"{HEAD}{OURS}KeyError: 'a'\n\nThe above exception was the direct cause of the "
            f"following exception:\n\n{HEAD}{LIBRARY}theirs.errors.Bad: two",
            "Bad: two",
        ),
        # An error of ours says all itself, as the end of the run has it.
        (
            f"{HEAD}{OURS}schema.gate.anomalies.DataAnomalies: a: b; expected c.",
            "a: b; expected c.",
        ),
        (f"{HEAD}{OURS}fareline.errors.UserMistake: a.b.C: d", "a.b.C: d"),
        (f"{HEAD}{OURS}models.Bad", "Bad"),
        (f"{HEAD}{OURS}a.b c", "a.b c"),
        ("disk full\nwhere: /data", "disk full"),
        (HEAD + LIBRARY, "no reason was kept"),
        ("", "no reason was kept"),
    ],
)
def test_the_line_that_names_the_error(text, error):
    assert read_failure(text).error == error


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (json.dumps({"resultMessage": f"{HEAD}{OURS}ValueError: no", "code": 2}), "ValueError: no"),
        (json.dumps({"code": 2}), "2"),
        ("no JSON", "no JSON"),
        (None, None),
    ],
)
def test_a_failed_execution_says_what_was_kept(tmp_path, kept, text):
    writer = StoreWriter(tmp_path / "metadata.db")
    writer.add_run("taxi", "r1", 1_767_268_800_000, {"Trainer": (FAILED, 1), "Good": (COMPLETE, 2)})
    if kept is not None:
        store = metadata_store.MetadataStore(sqlite_connection(writer.path))
        executions = store.get_executions()
        for execution in executions:
            execution.custom_properties[RESULT].string_value = kept
        store.put_executions(executions)
    found = {
        each.place.node: failure_of(each)
        for each in Graph(open_store(writer.path)).executions_of_run("r1")
    }
    assert found["Good"] is None  # it ended well, whatever is kept of it
    assert (found["Trainer"].error if found["Trainer"] else None) == text
