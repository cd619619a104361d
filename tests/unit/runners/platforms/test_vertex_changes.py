"""promote, rollback, undeploy and models on Vertex AI, through the commands."""

import datetime
import importlib.metadata
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import FarelineError, UserMistake
from lineage.facts.pushes import live_pushes, pushed_to, traffic_of
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from pipeline.settings.settings import VertexPush
from runners.platforms.vertex import requests_seen
from tests.loopback.http_server import Refused
from tests.loopback.vertex_models import PARENT
from tests.stores.writer import FAILED
from tests.unit.runners.platforms.vertex_place import killed_at, vertex_place

WHY = ("--reason", "tips were wrong", "--destination", "vertex")
ON = ("--destination", "vertex")
BASE = "vertex://fare-project/europe-west4/taxi"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two versions: the first live with 90 %, the second a candidate with 10 %."""
    with vertex_place(tmp_path, monkeypatch) as running:
        for number in (1, 2):
            running.record(f"model-{number}")
        yield running


def call(place, command, *arguments):
    """Runs a command with --json; a mistake is raised."""
    words = [command, "--json", "--workspace", str(place.root / "workspace"), *arguments]
    ran = CliRunner().invoke(cli.app, words)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def graph(place):
    return Graph(open_store(place.root / "workspace" / "metadata.db"))


def live(place):
    """The live version as the store has it, and the model that `upstream` finds for it."""
    found = live_pushes(graph(place))
    return pushed_to(found[BASE])[1] if BASE in found else None


def test_models_tells_shares_and_costs(place):
    answer = call(place, "models", "--vertex")
    [there] = [each for each in answer["destinations"] if each["destination"] == BASE]
    assert there["live"] == 1
    assert [(v["version"], v["traffic"], v["state"]) for v in there["versions"]] == [
        (2, 10, None),
        (1, 90, "live"),
    ]
    assert [(d["version"], d["percent"], d["machine_type"]) for d in answer["deployed"]] == [
        (1, 90, "n1-standard-2"),
        (2, 10, "n1-standard-2"),
    ]


def deploy_hours_ago(place, hours):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    for each in place.endpoint["deployedModels"]:
        each["createTime"] = then.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("hours", "counts", "idle"),
    [
        (48, {}, "the endpoint had no requests in the last 24 hours"),
        (48, {1: 7}, ""),
        (48, {2: 7}, ""),
        (0.5, {}, ""),  # the first requests may not be counted yet
    ],
)
def test_an_endpoint_without_requests_is_warned_about(place, hours, counts, idle):
    deploy_hours_ago(place, hours)
    ids = {int(each["modelVersionId"]): each["id"] for each in place.endpoint["deployedModels"]}
    place.monitoring.predictions = {ids[version]: count for version, count in counts.items()}
    answer = call(place, "models", "--vertex")
    found = {each["version"]: each["predictions"] for each in answer["deployed"]}
    assert found == {1: 0, 2: 0} | counts and answer["predictions_unknown_because"] is None
    workspace = str(place.root / "workspace")
    shown = CliRunner().invoke(cli.app, ["models", "--vertex", "--workspace", workspace]).stdout
    told = [line for line in shown.splitlines() if line.startswith("Idle: ")]
    assert len(told) == bool(idle)
    if idle:
        ends = f"`fareline undeploy --all --workspace {workspace}` ends its costs."
        assert told == [f"Idle: {idle}; {ends}"]


def test_requests_that_cannot_be_counted_are_one_line_and_models_answers(place):
    place.monitoring.may_read = False
    deploy_hours_ago(place, 48)
    answer = call(place, "models", "--vertex")
    because = answer["predictions_unknown_because"]
    assert "permission denied" in because and "roles/monitoring.viewer" in because
    assert "\n" not in because
    assert [(each["predictions"], each["idle"]) for each in answer["deployed"]] == [
        (None, False),
        (None, False),
    ]
    workspace = str(place.root / "workspace")
    ran = CliRunner().invoke(cli.app, ["models", "--vertex", "--workspace", workspace])
    assert ran.exit_code == 0 and f"Not known whether requests arrive: {because}" in ran.stdout


def test_the_way_there_and_back(place):
    promoted = call(place, "promote", *ON)
    assert promoted["traffic"] == {"1": 0, "2": 100} and promoted["version"] == 2
    assert place.traffic() == {1: 0, 2: 100} and live(place) == 2
    workspace = str(place.root / "workspace")
    ran = CliRunner().invoke(cli.app, ["models", "--vertex", "--workspace", workspace])
    said = f"Idle: version 1 gets no requests; `fareline undeploy --workspace {workspace}` ends it."
    assert said in ran.stdout
    back = call(place, "rollback", *WHY)
    assert back["from_version"] == 2 and back["traffic"] == {"1": 100}
    assert place.traffic() == {1: 100} and live(place) == 1
    assert place.states() == {1: "done", 2: "withheld"}
    with pytest.raises(UserMistake, match="somebody rolled back from this model"):
        place.push("model-2")
    again = call(place, "promote", *ON, "--to", "2")
    assert again["traffic"] == {"1": 0, "2": 100} and place.states()[2] == "done"
    assert call(place, "undeploy")["traffic"] == {"2": 100}
    assert call(place, "undeploy", "--all")["traffic"] == {}
    assert place.endpoint["deployedModels"] == [] and live(place) is None
    assert call(place, "undeploy", "--all")["execution"] is None


def test_rollback_from_a_candidate_leaves_the_live_one(place):
    back = call(place, "rollback", *WHY)
    assert (back["from_version"], back["version"]) == (2, 1)
    assert place.traffic() == {1: 100} and place.states()[2] == "withheld"


def upstream(place, asked="live"):
    """The lines of the answer."""
    words = ["lineage", "upstream", asked, "--workspace", str(place.root / "workspace")]
    ran = CliRunner().invoke(cli.app, words)
    assert ran.exit_code == 0, ran.output
    return ran.stdout.splitlines()


def changes(place, asked="live"):
    """Execution, shares and live version of each change, as JSON has them."""
    words = ["lineage", "upstream", asked, "--json", "--workspace", str(place.root / "workspace")]
    history = json.loads(CliRunner().invoke(cli.app, words).stdout)["history"]
    assert {each["destination"] for each in history} <= {BASE}
    return [
        (each["execution"].partition("#")[0], each["traffic"], each["live"]) for each in history
    ]


def test_upstream_of_what_is_live_is_the_model_and_all_that_changed_it_in_order(place):
    pushed = [
        ("VertexPusher@run-model-1", {"1": 100}, 1),
        ("VertexPusher@run-model-2", {"1": 90, "2": 10}, 1),
    ]
    assert changes(place) == changes(place, "Model:1") == pushed
    assert changes(place, "Model:4") == []  # a candidate is not live
    call(place, "promote", *ON)
    shown = upstream(place)
    assert shown[1].startswith("└── promote#") and "Trainer@run-model-2" in "".join(shown)
    promoted = [*pushed, ("promote", {"1": 0, "2": 100}, 2)]
    assert changes(place) == promoted
    place.record("model-2")  # a run that finds its model there changes nothing
    assert changes(place) == promoted
    call(place, "rollback", *WHY)
    back = [*promoted, ("rollback", {"1": 100}, 1)]
    assert changes(place) == changes(place, "Model:1") == changes(place, "PushedModel:3") == back
    shown = upstream(place)
    assert shown[1].startswith("└── rollback#") and "Trainer@run-model-1" in "".join(shown)
    at = shown.index(f"What was live at {BASE}:")
    assert [line.split()[2].partition("#")[0] for line in shown[at + 2 :]] == [
        "VertexPusher@run-model-1",
        "VertexPusher@run-model-2",
        "promote",
        "rollback",
    ]
    assert "version 1: 100 %; 2 withheld" in shown[-1]
    assert shown[-1].endswith("tips were wrong")
    call(place, "undeploy", "--all")
    call(place, "promote", *ON, "--to", "2")
    ended = [*back, ("undeploy", {}, None), ("promote", {"2": 100}, 2)]
    assert changes(place) == ended


def test_the_live_record_is_found_where_somebody_moved_the_requests_elsewhere(place):
    [first, second] = place.endpoint["deployedModels"]
    place.endpoint["trafficSplit"] = {first["id"]: 0, second["id"]: 100}  # as in the console
    place.record("model-3")
    assert place.traffic() == {2: 90, 3: 10} and live(place) == 2
    assert changes(place)[-1] == ("VertexPusher@run-model-3", {"2": 90, "3": 10}, 2)


def test_why_says_what_vertex_does_not_show(place):
    assert call(place, "why", "run-model-2")["on_vertex"]["not_shown_because"] is None
    place.record("model-3", not_shown_because="vertex: permission denied")
    assert call(place, "why", "run-model-3")["on_vertex"]["not_shown_because"].startswith("vertex:")
    workspace = str(place.root / "workspace")
    ran = CliRunner().invoke(cli.app, ["why", "run-model-3", "--workspace", workspace])
    said = "    evaluation or lineage not written there: vertex: permission denied"
    assert said in ran.stdout.splitlines()


def test_why_has_the_command_that_uploads_the_curves_with_flags_of_the_installed_uploader(place):
    command = call(place, "why", "run-model-2")["on_vertex"]["tensorboard_command"]
    assert shlex.split(command) == [
        "tb-gcp-uploader",
        "--tensorboard_resource_name",
        "projects/fare-project/locations/europe-west4/tensorboards/TENSORBOARD_ID",
        "--logdir",
        "/logs of/model-2",
        "--experiment_name",
        "run-model-2",
        "--one_shot",
    ]
    [program] = importlib.metadata.entry_points(group="console_scripts", name="tb-gcp-uploader")
    package = importlib.util.find_spec("google.cloud.aiplatform").submodule_search_locations[0]
    source = Path(package) / "tensorboard" / "uploader_main.py"
    assert program.value == "google.cloud.aiplatform.tensorboard.uploader_main:run_main"
    flags = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source.read_text()))
    assert set(re.findall(r"--(\w+)", command)) <= flags


def test_the_hint_after_a_rollback_brings_the_model_back(place):
    words = ["--workspace", str(place.root / "workspace")]
    call(place, "promote", *ON)
    told = CliRunner().invoke(cli.app, ["rollback", *WHY, *words]).stdout
    [hint] = re.findall("`fareline (promote [^`]*)` brings it back", told)
    assert CliRunner().invoke(cli.app, shlex.split(hint)).exit_code == 0
    assert place.traffic() == {1: 0, 2: 100}


def test_an_endpoint_that_was_deleted_is_made_anew(place):
    place.vertex.api.endpoints.clear()
    assert call(place, "promote", *ON)["traffic"] == {"2": 100} and live(place) == 2


def test_a_former_endpoint_is_listed_and_ended(place):
    place.target["endpoint"] = "other"
    place.record("model-2")
    answer = call(place, "models", "--vertex")
    ends = [(each["endpoint"].rpartition("/")[2], each["version"]) for each in answer["deployed"]]
    assert ends == [("other", 2), ("taxi", 1), ("taxi", 2)]
    workspace = str(place.root / "workspace")
    shown = CliRunner().invoke(cli.app, ["models", "--vertex", "--workspace", workspace]).stdout
    assert "This is a former endpoint: pushes go to another one." in shown
    for each in place.vertex.api.endpoints["taxi"]["deployedModels"]:
        each["model"] = "projects/1/locations/europe-west4/models/foreign@1"
    [left] = call(place, "models", "--vertex")["deployed"]  # another model took the old one over
    assert left["endpoint"].endswith("/other")
    for each in place.vertex.api.endpoints["taxi"]["deployedModels"]:
        each["model"] = "projects/1/locations/europe-west4/models/taxi@1"
    assert call(place, "undeploy", "--all")["traffic"] == {}
    assert [each["deployedModels"] for each in place.vertex.api.endpoints.values()] == [[], []]
    assert call(place, "undeploy", "--all")["execution"] is None


@pytest.mark.parametrize("recorded", [0, 2])
def test_what_a_killed_run_has_pushed_and_not_recorded_is_listed_and_ended(
    tmp_path, monkeypatch, recorded
):
    """Also where the settings named another endpoint before the next run."""
    with vertex_place(tmp_path, monkeypatch) as place:
        for number in range(recorded):
            place.record(f"model-{number}")
        place.leave_unrecorded("killed", endpoint="other")
        ends = [each["endpoint"] for each in call(place, "models", "--vertex")["deployed"]]
        assert len(ends) == recorded + 1 and ends[-1].endswith("/other")
        if not recorded:
            with pytest.raises(UserMistake, match="a push has begun there, and no run") as raised:
                call(place, "undeploy", "--all")
            assert "\n" not in str(raised.value)
            place.record("model-1")
        answer = call(place, "undeploy", "--all")
        assert answer["traffic"] == {} and answer["left_alone"] == []
        assert {len(e["deployedModels"]) for e in place.vertex.api.endpoints.values()} == {0}


def test_settings_of_a_failed_push_that_vertex_refuses_are_no_place(place):
    target = json.dumps({**place.target, "project": "typing-error"})
    place.writer.add_execution("taxi", "run-9", "VertexPusher", FAILED, target=target)
    place.writer.add_execution("taxi", "run-10", "VertexPusher", FAILED, target="[1]")
    assert len(call(place, "models", "--vertex")["deployed"]) == 2
    assert call(place, "promote", *ON)["traffic"] == {"1": 0, "2": 100}


def test_one_of_several_endpoints_that_cannot_be_asked_is_one_line(place):
    place.target["endpoint"] = "other"
    place.record("model-2")

    def refuse(request):
        raise Refused(403, "Permission denied.")

    place.vertex.api.route("GET", PARENT + "/endpoints/taxi", refuse)
    place.vertex.api._routes.insert(0, place.vertex.api._routes.pop())
    answer = call(place, "models", "--vertex")
    assert [each["version"] for each in answer["deployed"]] == [2]
    assert "permission denied" in answer["predictions_unknown_because"]
    workspace = str(place.root / "workspace")
    shown = CliRunner().invoke(cli.app, ["models", "--vertex", "--workspace", workspace]).stdout
    [line] = [each for each in shown.splitlines() if each.startswith("Not known what is deployed")]
    assert "/endpoints/taxi: vertex: permission denied" in line


def test_a_change_at_the_same_time_is_one_line_and_changes_nothing(place):
    def refuse(request):
        raise Refused(409, "The etag does not match.")

    api = place.vertex.api
    api.route("PATCH", PARENT + "/endpoints/taxi", refuse)
    api._routes.insert(0, api._routes.pop())
    with pytest.raises(FarelineError, match="somebody changed it at the same time") as raised:
        call(place, "promote", *ON)
    assert "\n" not in str(raised.value) and "job" not in str(raised.value)
    assert place.traffic() == {1: 90, 2: 10}
    api._routes.pop(0)
    assert call(place, "promote", *ON)["traffic"] == {"1": 0, "2": 100}


def test_nothing_to_roll_back_from_and_older_versions_are_one_line(place):
    call(place, "promote", *ON)
    with pytest.raises(UserMistake, match="version 1 of vertex://.*: is older than the live"):
        call(place, "promote", *ON, "--to", "1")
    place.endpoint["trafficSplit"] = {}
    with pytest.raises(UserMistake, match="taxi: no version gets requests; expected a live"):
        call(place, "rollback", *WHY)
    assert call(place, "promote", *ON, "--to", "1")["traffic"] == {"1": 100, "2": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("undeploy", "--to", "2", "--all"),
            "undeploy: found a version and all versions; expected one",
        ),
        (("promote", *ON, "--to", "9"), "version 9 of vertex://.*: is not there"),
        (("rollback", *WHY, "--to", "2"), "version 2 of vertex://.*: is newer than the live"),
        (("undeploy", "--to", "1"), "gets 90 % of the requests"),
        (("undeploy", "--to", "9"), "is not deployed"),
        (("promote", "--destination", "vertex://other/r/m"), "no model was pushed there"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(place, words, said):
    with pytest.raises(UserMistake, match=said) as raised:
        call(place, *words)
    assert "\n" not in str(raised.value)
    assert place.traffic() == {1: 90, 2: 10} and live(place) == 1


@pytest.mark.parametrize(
    ("traffic", "of_another", "words", "after", "left_alone"),
    [
        (10, (3,), ("promote", *ON), {2: 100, 3: 0}, [3]),
        (10, (3,), ("rollback", *WHY, "--to", "1"), {1: 100}, []),
        (100, (2,), ("rollback", *WHY), {1: 100, 2: 0}, [2]),
        (100, (3,), ("rollback", *WHY), {2: 100}, []),
        (10, (3,), ("promote", *ON, "--to", "3"), "not recorded in this store", None),
        (100, (2, 3), ("promote", *ON), "there is nothing newer", None),
        (100, (1, 2), ("rollback", *WHY), "recorded, as 1, 2 is not", None),
        (10, (3,), ("undeploy", "--all"), {3: 100}, [3]),
        (10, (1,), ("undeploy", "--all"), {1: 100}, [1]),
        (100, (2,), ("undeploy", "--all"), {2: 0}, [2]),
        (100, (2,), ("undeploy",), {2: 0, 3: 100}, [2]),
        (100, (2,), ("undeploy", "--to", "2"), {3: 100}, []),
        (100, (3,), ("undeploy",), {3: 100}, []),
    ],
)
def test_versions_of_another_store_block_nothing_and_are_told(
    tmp_path, monkeypatch, traffic, of_another, words, after, left_alone
):
    with vertex_place(tmp_path, monkeypatch) as place:
        place.target["traffic"] = traffic
        for number in (1, 2, 3):
            push = place.push if number in of_another else place.record
            push(f"model-{number}")
        if isinstance(after, str):
            before = place.traffic()
            with pytest.raises(UserMistake, match=after) as raised:
                call(place, *words)
            assert "\n" not in str(raised.value) and place.traffic() == before
            return
        answer = call(place, *words)
        assert {n: p for n, p in place.traffic().items() if p or n in after} == after
        assert answer["left_alone"] == left_alone
        told = CliRunner().invoke(
            cli.app, ["undeploy", "--all", "--workspace", str(place.root / "workspace")]
        )
        assert told.exit_code == 0 and set(place.traffic()) <= set(of_another)
        left = ", ".join(map(str, sorted(place.traffic())))
        said = f"Left alone, because this store has not recorded it: version {left}."
        assert (said in told.stdout) == bool(place.traffic())


@pytest.mark.parametrize(
    ("shares", "words", "after"),
    [
        ((50, 50), ("promote", *ON), {1: 0, 2: 100}),
        ((50, 50), ("promote", *ON, "--to", "2"), {1: 0, 2: 100}),
        ((50, 50), ("rollback", *WHY), {1: 100}),
        ((50, 50), ("rollback", *WHY, "--to", "1"), {1: 100}),
        ((50, 50), ("rollback", *WHY, "--to", "2"), "version 2 of .*: is the live one"),
        ((50, 50), ("undeploy",), {1: 50, 2: 50}),
        ((50, 50), ("undeploy", "--all"), {}),
        ((10, 90), ("promote", *ON), {1: 0, 2: 100}),
        ((100, 0), ("rollback", *WHY), "version 1 of .*: is live, and there is nothing older"),
        ((0, 0), ("rollback", *WHY), "taxi: no version gets requests"),
    ],
)
def test_shares_that_somebody_has_set_by_hand(place, shares, words, after):
    ids = [each["id"] for each in place.endpoint["deployedModels"]]
    place.endpoint["trafficSplit"] = dict(zip(ids, shares, strict=True)) if any(shares) else {}
    if isinstance(after, str):
        with pytest.raises(UserMistake, match=after):
            call(place, *words)
    else:
        call(place, *words)
        assert place.traffic() == after


@pytest.mark.parametrize("number", ["0", "-1", "9"])
@pytest.mark.parametrize("command", [("rollback", *WHY), ("promote", *ON), ("undeploy",)])
def test_a_number_that_no_version_has_is_named(place, command, number):
    with pytest.raises(UserMistake, match=f"version {number} of {BASE}: is not (there|deployed)"):
        call(place, *command, "--to", number)


@pytest.mark.parametrize("request_number", [2, 6, 10, 14, 18, 22])
@pytest.mark.parametrize("words", [("promote", *ON), ("rollback", *WHY), ("undeploy", "--all")])
def test_killed_at_a_request_and_typed_again(place, monkeypatch, words, request_number):
    """Whatever had arrived: it is done once, and recorded."""
    place.vertex.api.polls = 1
    wanted = {"promote": {1: 0, 2: 100}, "rollback": {1: 100}, "undeploy": {}}[words[0]]
    with killed_at(request_number, True, monkeypatch):
        call(place, *words)
    try:
        call(place, *words)
    except UserMistake as mistake:  # it had been done, and was recorded
        assert "there is nothing" in str(mistake)
    assert place.traffic() == wanted
    assert traffic_of(graph(place))[BASE] == wanted
    assert not list(place.root.rglob(".lease"))


@pytest.mark.parametrize(
    "words, other",
    [
        (("rollback", *WHY), ("rollback", *WHY, "--to", "1")),
        (("promote", *ON, "--to", "2"), ("promote", *ON, "--to", "3")),
    ],
)
def test_a_killed_change_is_settled_and_another_one_is_done(place, monkeypatch, words, other):
    place.target["traffic"] = 100 if words[0] == "rollback" else 10
    place.record("model-3")
    for request_number in range(3, 20):
        with killed_at(request_number, True, monkeypatch):
            call(place, *words)
        if place.traffic().get(2) == 100:
            break
    assert place.traffic()[2] == 100
    call(place, *other)
    assert place.traffic()[int(other[-1])] == 100


def test_undeploy_answers_where_endpoint_and_version_were_deleted_by_hand(place):
    place.vertex.api.endpoints.clear()
    place.vertex.api.models.clear()
    assert call(place, "undeploy", "--all")["traffic"] == {}


@pytest.mark.parametrize(
    "address",
    ["https://evil.com\\.googleapis.com", "https://evil.com\\@a.googleapis.com",
     "https://me@a.googleapis.com", "https://a.googleapis.com/v1?x=1", "https://evil.com#.googleapis.com",
     "https://a.googleapis.com:999999", "https://evil.com/.googleapis.com", "http://a.googleapis.com"],
)  # fmt: skip
def test_credentials_go_to_google_or_to_this_machine_alone(address):
    settings = {"project": "fare-project", "region": "europe-west4", "bucket": "gs://taxi-bucket"}
    good = "https://europe-west4-aiplatform.googleapis.com"
    for each in (good, f"{good}:443", "http://[::1]:80", "http://localhost:8080"):
        assert VertexPush.model_validate({**settings, "api_endpoint": each})
    with pytest.raises(ValueError, match="api_endpoint"):
        VertexPush.model_validate({**settings, "api_endpoint": address})


@pytest.mark.parametrize("answer", ['[1]', '{"timeSeries": [{"metric": null}]}', "no JSON",
    '{"timeSeries": [{"points": [{"value": {"int64Value": "x"}}]}]}'])  # fmt: skip
def test_an_odd_answer_of_monitoring_is_one_line(place, monkeypatch, answer):
    class Odd:
        ok = True

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def get(self, *_, **__):
            return self

        def json(self):
            return json.loads(answer)

    monkeypatch.setattr(requests_seen, "_session", lambda address: Odd())
    told = call(place, "models", "--vertex")["predictions_unknown_because"]
    assert "cannot be read" in told
