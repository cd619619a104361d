"""Fareline's own server is started and asked as on Vertex AI, before a version is registered.

A whole run that pushes in this way is in tests/e2e/replays/test_run_to_vertex.py.
"""

import json

import pytest

from runners.platforms.jobs import PlatformError
from runners.platforms.vertex.container import ask
from tests.loopback.http_server import Answer, Api, serving
from tests.unit.runners.platforms.vertex_place import vertex_place

OURS = {
    "server": "fareline",
    "image": "europe-west4-docker.pkg.dev/fare-project/images/fareline:1",
}
ROWS = [{"examples": {"b64": "eA=="}}] * 2


def test_files_that_are_no_model_are_one_line_and_not_registered(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as place:
        with pytest.raises(PlatformError, match="ended with exit code 1 .*saved_model") as raised:
            place.push("no model", **OURS)
        assert "\n" not in str(raised.value) and place.states() == {}
        assert not list(place.root.rglob(".lease"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"predictions": [[1.0], [2.0]]}, None),
        ({"predictions": [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]}, None),
        ({"predictions": [[1.0]]}, "did not answer 2 rows with as many predictions"),
        ({"predictions": [[1.0], [None]]}, "answered with numbers that are not finite"),
        ({"outputs": [[1.0], [2.0]]}, "did not answer 2 rows with as many predictions"),
        ([1.0, 2.0], "did not answer 2 rows with as many predictions"),
        (Answer(b"<html>"), "gave no answer (Expecting value"),
        (Answer(b'{"error": "no\\n such column"}', 400), 'answered 400 ({"error": "no'),
    ],
)
def test_what_answers_a_trial_may_give(answer, said):
    api, asked = Api(), []
    api.route("POST", "/v1/models/model:predict", lambda r: asked.append(r.json()) or answer)
    with serving(api) as address:
        port = int(address.rpartition(":")[2])
        if said is None:
            ask(port, ROWS)
        else:
            with pytest.raises(PlatformError) as raised:
                ask(port, ROWS)
            assert said in str(raised.value) and "\n" not in str(raised.value)
    assert asked == [{"instances": ROWS}], json.dumps(asked)
