"""Answers that are none of Vertex's API, as of a proxy: one line each, and nothing is lost."""

import re

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import FarelineError, UserMistake
from tests.loopback.http_server import Answer
from tests.unit.runners.platforms.vertex_place import vertex_place

HTML = b"<html>\n<body><h1>Sign in</h1>\n" + b"<p>guest network</p>\n" * 100 + b"</body></html>"
ODD = {
    "a page": Answer(HTML, content_type="text/html"),
    "a page of an error": Answer(HTML, 502, "text/html"),
    "nothing": Answer(),
    "a list": Answer(b"[1]"),
    "a list of an error": Answer(b"[1]", 500),
    "null": Answer(b"null"),
    "foreign": Answer(b'{"foo": {"bar": 1}}'),
    "other types": Answer(b'{"name": {"a": 1}, "models": 7, "deployedModels": "x"}'),
}
CALLS = (
    ("GET", "/models/taxi:listVersions"),
    ("GET", "/endpoints/taxi"),
    ("GET", "/operations/"),
    ("POST", "/models:upload"),
    ("POST", "/endpoints"),
    ("POST", ":deployModel"),
    ("POST", ":undeployModel"),
    ("PATCH", "/models/taxi@"),
    ("DELETE", ":deleteVersion"),
)
COMMANDS = (
    (("models", "--vertex"), ("GET", "/endpoints/taxi")),
    (("promote", "--destination", "vertex"), ("GET", "/models/taxi:listVersions")),
    (("promote", "--destination", "vertex"), ("PATCH", "/endpoints/taxi")),
    (("undeploy", "--all"), ("POST", ":undeployModel")),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        monkeypatch.setattr("runners.platforms.vertex.push.show", lambda *_: "")
        running.vertex.api.polls = 1
        yield running


def answered_oddly(place, monkeypatch, method, path, odd):
    """The service does what it is asked for, and the first answer of this call is odd.

    Returns:
        The odd answers: one entry when it has come to that.
    """
    api, given = place.vertex.api, []
    answer = type(api).answer

    def answer_oddly(request):
        right = answer(api, request)
        is_it = request.method == method and re.search(path + r"[^/]*$", request.path)
        if is_it and not given:
            given.append(request.path)
            return odd
        return right

    monkeypatch.setattr(api, "answer", answer_oddly)
    return given


@pytest.mark.parametrize("odd", ODD)
def test_a_push_ends_with_one_line_and_the_next_finishes_it(place, monkeypatch, odd):
    place.push("base")
    api = place.vertex.api
    at = list(ODD).index(odd)
    for method, path in CALLS[at % 3 :: 3]:
        endpoint = "second" if path == "/endpoints" else "taxi"
        if method == "DELETE":  # of what a push has left
            api.breaking["deploy"] = (500, "no")
            with pytest.raises(FarelineError):
                place.push("zeroth")
            api.breaking.clear()
        with monkeypatch.context() as patch:
            given = answered_oddly(place, patch, method, path, ODD[odd])
            for content in ("first", "second"):
                try:
                    place.push(content, endpoint=endpoint)
                except FarelineError as error:
                    assert "\n" not in str(error) and len(str(error)) < 1000, path
                    assert not isinstance(error, UserMistake), path
        assert given, path
        place.push("third", endpoint=endpoint)
        assert set(place.states().values()) == {"done"}, path
        assert 1 in place.traffic() and sum(place.traffic().values()) == 100, path
        api.endpoints.pop("second", None)
        assert not list(place.root.rglob(".lease")), path


@pytest.mark.parametrize(
    ("odd", "command", "call"),
    [
        (odd, *COMMANDS[number])
        for at, odd in enumerate(ODD)
        for number in range(at % 2, len(COMMANDS), 2)  # each meets half of the answers
    ],
)
def test_a_command_ends_with_one_line_and_the_same_words_finish_it(
    place, monkeypatch, odd, command, call
):
    place.record("model-1")
    place.record("model-2")
    words = [command[0], "--workspace", str(place.root / "workspace"), *command[1:]]
    with monkeypatch.context() as patch:
        given = answered_oddly(place, patch, *call, ODD[odd])
        ran = CliRunner().invoke(cli.app, words)
    assert given
    if call != ("PATCH", "/endpoints/taxi") or ran.exit_code:
        error = ran.exception
        assert isinstance(error, FarelineError) and not isinstance(error, UserMistake), odd
        assert "\n" not in str(error) and error.exit_code == 1
    ran = CliRunner().invoke(cli.app, words)
    done = "there is nothing newer"  # it had been done, and is recorded
    assert ran.exit_code == 0 or done in str(ran.exception)
    wanted = {"models": {1: 90, 2: 10}, "promote": {1: 0, 2: 100}, "undeploy": {}}
    assert place.traffic() == wanted[command[0]]
