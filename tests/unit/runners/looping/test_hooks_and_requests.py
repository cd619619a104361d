"""Hooks that fail, hang and come back; requests that are signed, forged, old and repeated."""

import contextlib
import http.client
import http.server
import json
import socket
import sys
import threading
import time

import pytest

from pipeline.settings.live.loop import Hook
from runners.looping import hooks, requests
from runners.looping.hooks import Outbox
from runners.looping.signatures import SIGNATURE, TIME, refusal, sign

SECRET = b"a secret of the two"


@contextlib.contextmanager
def receiver(*statuses):
    """A server that answers with these, the last again and again; yields address and requests."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), body))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook?x=1", got
    server.shutdown()


def outbox(folder, *of, told=None):
    made = Outbox(folder, of, SECRET, (told if told is not None else []).append, 0.01)
    made.start()
    return made


def wait_until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


def test_an_address_gets_the_event_signed_and_again_until_it_takes_it(tmp_path):
    with receiver(500, 503, 200) as (url, got):
        sending = outbox(tmp_path, Hook(events=["pushed"], url=url))
        sending.put("pushed", "monitor-1", {"run_id": "r"})
        sending.put("refused", "monitor-2", {})  # of which it is not told
        wait_until(lambda: not list(tmp_path.iterdir()))
    assert len(got) == 3
    headers, body = got[-1]
    assert json.loads(body) == {"event": "pushed", "id": "monitor-1", "run_id": "r"}
    assert refusal(SECRET, body, headers[TIME], headers[SIGNATURE], time.time()) is None


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"auc": 0.96, "calibration": 1.0}, None),
        ({"auc": 0.95, "calibration": 1.0}, "auc is 0.95; expected at least 0.96"),
        ({"auc": None, "calibration": 1.0}, "auc is undefined; expected at least 0.96"),
        (None, "auc is undefined; expected at least 0.96"),
    ],
)
def test_a_hook_with_conditions_gets_the_events_of_models_that_meet_them(tmp_path, metrics, said):
    when = [{"metric": "auc", "at_least": 0.96}]
    told = []
    box = Outbox(
        tmp_path, [Hook(events=["pushed"], command=["deploy"], when=when)], None, told.append
    )  # fmt: skip
    box.put("pushed", "monitor-1", {"metrics": metrics})
    assert len(list(tmp_path.iterdir())) == (said is None)
    assert told == ([] if said is None else [f"pushed was not sent: {said} (loop.hooks.0.when)"])


@pytest.mark.parametrize("event", ["failed", "stopped", "succeeded", "alarm", "rolled_back"])
def test_events_without_metrics_have_no_conditions(event):
    with pytest.raises(ValueError, match=f"expected when with the events pushed.*: {event} has no"):
        Hook(events=["pushed", event], command=["x"], when={"metric": "auc", "at_least": 0.9})


def test_a_command_gets_the_event_on_its_input(tmp_path):
    out, box = tmp_path / "out", tmp_path / "box"
    box.mkdir()
    code = f"import sys; open({str(out)!r}, 'w').write(sys.stdin.read())"
    sending = outbox(box, Hook(events=["alarm"], command=[sys.executable, "-c", code]))
    sending.put("alarm", "monitor-1", {"causes": ["x"]})
    wait_until(lambda: not list(box.iterdir()))
    assert json.loads(out.read_text())["causes"] == ["x"]


@pytest.mark.parametrize("drip", [False, True])
def test_a_hook_that_hangs_holds_up_neither_the_loop_nor_the_end_and_loses_nothing(
    tmp_path, monkeypatch, drip
):
    monkeypatch.setattr(hooks, "_POST_SECONDS", 0.4)
    told = []
    with socket.create_server(("127.0.0.1", 0)) as silent, receiver(200) as (url, got):
        if drip:
            threading.Thread(target=_drip, args=(silent,), daemon=True).start()
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}/secret-path"
        both = [Hook(events=["pushed"], url=hanging), Hook(events=["pushed"], url=url)]
        sending = outbox(tmp_path, *both, told=told)
        began = time.monotonic()
        sending.put("pushed", "monitor-1", {})
        assert time.monotonic() - began < 0.3
        wait_until(lambda: got)
        wait_until(lambda: told)
        sending.close(0.1)
        assert time.monotonic() - began < 15
    [left] = tmp_path.iterdir()
    assert "stays in the outbox" in told[0]
    assert "secret-path" not in told[0]
    with receiver(200) as (url, got):  # the next loop sends it
        left.write_text(left.read_text().replace(hanging, url))
        outbox(tmp_path)
        wait_until(lambda: not list(tmp_path.iterdir()))
        assert json.loads(got[0][1])["id"] == "monitor-1"


def _drip(server):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_send_slowly, args=(connection,), daemon=True).start()


def _send_slowly(connection):
    with contextlib.suppress(OSError):
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
            connection.send(bytes([letter]))
            time.sleep(0.1)


@pytest.mark.parametrize("command", [["/nonexistent/program"], [sys.executable, "-c", "exit(3)"]])
def test_a_command_that_fails_is_said_and_kept(tmp_path, command):
    told = []
    sending = outbox(tmp_path, Hook(events=["failed"], command=command), told=told)
    sending.put("failed", "monitor-1", {})
    wait_until(lambda: told)
    assert len(list(tmp_path.iterdir())) == 1
    sending.close(0)


def test_what_another_loop_left_is_kept_without_a_secret_and_what_is_no_event_stops_nothing(
    tmp_path,
):
    told, out = [], tmp_path / "out.json"
    box = tmp_path / "box"
    box.mkdir()
    left = {"hook": {"command": None, "url": "http://127.0.0.1:9/secret-path"}, "told": {}}
    (box / "0.json").write_text(json.dumps(left))
    for place, text in enumerate(["[]", "{}", "7", '{"hook": null, "told": 1}', "{", "\0"] * 2, 1):
        (box / f"{place:02}.json").write_text(text)
    copy = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    sending = Outbox(
        box,
        [Hook(events=["alarm"], command=[sys.executable, "-c", copy, str(out)])],
        None,
        told.append,
        0.01,
    )
    sending.start()
    sending.put("alarm", "monitor-1", {})
    wait_until(lambda: told and out.exists())
    sending.close(5)
    assert len(told) == 1 and "needs a signature" in told[0] and "secret-path" not in told[0]
    assert (box / "0.json").exists()


@pytest.fixture
def listening(tmp_path):
    woken = []
    server = requests.listen(("127.0.0.1", 0), SECRET, tmp_path, lambda: woken.append(1))
    server.woken = woken
    yield server
    server.shutdown()


def post(server, body, headers, method="POST"):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.request(method, "/", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_signed_request_is_kept_once_and_wakes_the_loop(listening, tmp_path):
    body = json.dumps({"reason": "new\nprices"}).encode()
    headers = sign(SECRET, body, int(time.time()))
    assert post(listening, body, headers)[0] == 202
    [(name, cause)] = requests.waiting(tmp_path).items()
    assert (cause.kind, cause.said) == ("request", "new prices")
    assert post(listening, body, headers)[0] == 200  # a copy of it
    requests.finish(tmp_path, [name])
    assert post(listening, body, headers)[0] == 200  # also when it is done with
    assert requests.waiting(tmp_path) == {}
    assert len(listening.woken) == 1


@pytest.mark.parametrize(
    ("body", "change", "status"),
    [
        (b"{}", {SIGNATURE: "sha256=00"}, 401),
        (b"{}", {SIGNATURE: "sha256=\xe9"}, 401),
        (b"{}", {SIGNATURE: ""}, 401),
        (b"{}", {TIME: "1"}, 401),
        (b"{}", {TIME: "-1"}, 401),
        (b"{}", {"Content-Length": "x"}, 411),
        (b"{}", {"Content-Length": "9999999"}, 413),
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b'{"reason": 5}', {}, 400),
        (b"[" * 60_000, {}, 400),
        (b"", {}, 202),
    ],
)
def test_what_is_not_a_signed_request_starts_nothing(listening, tmp_path, body, change, status):
    headers = sign(SECRET, body, int(time.time())) | change
    assert post(listening, body, headers)[0] == status
    assert len(requests.waiting(tmp_path)) == (status == 202)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_request_is_not_believed(listening, tmp_path, seconds):
    headers = sign(SECRET, b"{}", int(time.time()) + seconds)
    assert post(listening, b"{}", headers)[0] == 401
    assert post(listening, b"", {}, "GET")[0] == 405
    assert requests.waiting(tmp_path) == {}
