"""fareline models, rollback, promote: on stores by hand and real folders, through the commands."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import FarelineError, UserMistake, WorkspaceError
from fareline.packages import CHECKOUT
from fareline.recorded import PROMOTE, ROLLBACK
from lineage.answers.prune.payloads import Boundary
from lineage.answers.prune.prune import plan_prune
from lineage.answers.runs.view import runs_as_table
from lineage.answers.show.show import describe
from lineage.answers.verify.verify import verify
from lineage.facts.models import live_models
from lineage.facts.pushes import live_pushes
from lineage.facts.runs import list_runs
from lineage.ids import find, find_model
from lineage.store.open import open_store_to_write
from runners.local.publication import needs_push
from runners.publishing import rollback
from runners.workspace import Workspace
from serving.versions import files as version_files
from serving.versions.publish import PublishError, WithheldError, list_versions, publish
from tests.stores.published import make_workspace
from tests.stores.writer import StoreWriter, artifact

WHY = ("--reason", "refunds  were missing")


@pytest.fixture
def place(tmp_path):
    return make_workspace(tmp_path / "workspace")


def call(place, command, *arguments):
    """Runs a command with --json; a mistake is raised."""
    words = [command, *map(str, arguments), "--json", "--workspace", str(place.root)]
    ran = CliRunner().invoke(cli.app, words)
    if isinstance(ran.exception, FarelineError):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def listed(place):
    [found] = call(place, "models")["destinations"]
    return found


def versions(place):
    return list_versions(str(place.base))


def live_content(place):
    return (place.base / str(versions(place)[-1]) / "saved_model.pb").read_text()


def test_models_lists_what_each_version_is_worth_and_which_is_live(place):
    found = listed(place)
    assert (found["destination"], found["live"]) == (str(place.base), 3)
    assert [v["version"] for v in found["versions"]] == [3, 2, 1]
    assert [v["state"] for v in found["versions"]] == ["live", "there", "there"]
    newest = found["versions"][0]
    assert newest["metrics"] == {"auc": 0.93}
    assert (newest["run"], newest["spans"], newest["blessed"]) == ("run-3", [3], True)
    assert newest["verdicts"] == {"Evaluator": True, "InfraValidator": True}
    assert newest["model"].startswith("Model:")
    assert newest["pushed"].endswith("+00:00")


def test_models_tells_what_is_gone_and_what_no_record_knows(place):
    place.forget(1)
    unknown = place.base / "9"
    unknown.mkdir()
    (unknown / "saved_model.pb").write_text("by hand")
    found = listed(place)
    assert found["live"] == 9
    states = {v["version"]: (v["state"], v["recorded"]) for v in found["versions"]}
    assert states == {9: ("live", False), 3: ("there", True), 2: ("there", True), 1: ("gone", True)}
    ran = CliRunner().invoke(cli.app, ["models", "--workspace", str(place.root)])
    lines = ran.stdout.splitlines()
    assert lines[0].split()[:2] == ["model", "run"]
    lines = lines[lines.index(str(place.base.relative_to(place.root))) :]
    assert lines[2].split()[:3] == ["9", "LIVE", "-"]
    assert lines[5].split()[:2] == ["1", "gone"]
    assert lines[-1] == "  9: in the folder, but not recorded"


def test_models_of_a_store_alone_and_of_remote_places(tmp_path):
    writer = StoreWriter(tmp_path / "m.db")
    for number in (3, 12):
        there = artifact("/p", pushed=1, pushed_destination=f"gs://b/taxi/{number}")
        writer.add_execution("taxi", f"r{number}", "Pusher", outputs={"pushed_model": [there]})
    ran = CliRunner().invoke(cli.app, ["models", "--json", "--store", str(tmp_path / "m.db")])
    [found] = json.loads(ran.stdout)["destinations"]
    assert found["destination"] == "gs://b/taxi"
    assert [(v["version"], v["state"], v["model"]) for v in found["versions"]] == [
        (12, "live", None),
        (3, None, None),
    ]
    empty = StoreWriter(tmp_path / "empty.db")
    empty.add_execution("taxi", "r", "Trainer")
    ran = CliRunner().invoke(cli.app, ["models", "--store", str(tmp_path / "empty.db")])
    assert ran.stdout == "No version was ever pushed.\n"


def test_rollback_publishes_the_version_before_under_a_new_number_and_records_it(place):
    answer = call(place, "rollback", *WHY)
    number = answer["version"]
    assert number > 3 and versions(place) == [1, 2, 3, number]
    assert live_content(place) == "model 2"
    assert (answer["from_version"], answer["to_version"]) == (3, 2)
    assert answer["reason"] == "refunds were missing"
    graph = place.graph()
    [execution] = [e for e in [find(graph, answer["execution"])] if e.type == ROLLBACK]
    assert execution.state == "executed" and execution.place.pipeline == "taxi"
    recorded = {name: execution.properties[name] for name in ("from_version", "to_version")}
    assert recorded == {"from_version": 3, "to_version": 2}
    assert execution.properties["new_version"] == number
    assert execution.properties["user"] == answer["user"] != ""
    assert [a.properties["pushed_version"] for a in graph.inputs(execution)["pushed_model"]] == [
        "2"
    ]
    top, second, third, _ = listed(place)["versions"]
    assert (top["copy_of"], top["change"], top["reason"]) == (2, "rollback", answer["reason"])
    assert top["metrics"] == {"auc": 0.92} and top["state"] == "live"
    assert second["withheld"]["reason"] == answer["reason"]
    assert third["pinned"] and not second["pinned"]
    # A store is one thing with its folders: the run's database holds no other lock or leftovers.
    assert not (place.root / ".lock-owner").exists()


def test_all_questions_about_what_is_live_know_of_a_rollback(place):
    before = find_model(place.graph(), "live").id
    answer = call(place, "rollback", *WHY)
    graph = place.graph()
    [(base, pushed)] = live_pushes(graph).items()
    assert (base, pushed.key) == (str(place.base), answer["pushed_model"])
    assert find_model(graph, "live").key == answer["model"]
    assert list(live_models(graph)) == [find_model(graph, "live").id] != [before]
    shown = describe(graph, find(graph, answer["pushed_model"]))
    assert str(answer["version"]) in json.dumps(shown, default=str)
    found = verify(place.graph(), now=10**13).findings
    # The hand-made runs have no payloads but models; of models and pushes nothing is wrong.
    assert {f.check for f in found if f.severity == "error"} == {"payload_missing"}
    assert not any(f.id.startswith(("PushedModel", "Model:", "rollback")) for f in found)
    plan = plan_prune(place.graph(), 1, Boundary([place.root / "artifacts"]), [], 10**13)
    kept = {pushed.id, find_model(graph, "live").id}
    assert kept.isdisjoint(entry.artifact.id for entry in plan.pruned)


def test_upstream_of_what_is_live_lists_what_made_it_so(place):
    back = call(place, "rollback", *WHY)
    again = call(place, "promote")
    pushes = [("push", number, None) for number in (1, 2, 3)]
    made = [("rollback", back["version"], 3), ("promote", again["version"], None)]
    for asked in ("live", again["pushed_model"], again["model"]):
        history = call(place, "lineage", "upstream", asked)["history"]
        found = [(each["change"], each["live"], each["withheld"]) for each in history]
        assert found == [*pushes, *made]
        assert {each["destination"] for each in history} == {str(place.base)}
        assert history[3]["reason"] == back["reason"] and history[3]["traffic"] is None
    assert call(place, "lineage", "upstream", back["model"])["history"] == []
    words = ["lineage", "upstream", "live", "--workspace", str(place.root)]
    shown = CliRunner().invoke(cli.app, words).stdout.splitlines()
    assert shown[-6].split() == ["since", "(UTC)", "changed", "by", "live", "who"]
    assert f"version {back['version']}; 3 withheld" in shown[-2]


def test_the_list_of_runs_says_what_a_rollback_made_live(place):
    done = call(place, "rollback", *WHY)
    runs = {run.run_id: run for run in list_runs(place.graph())}
    [old], [new] = runs["run-2"].pushed, runs["run-3"].pushed
    assert (old.live, old.live_as) == (False, str(done["version"]))
    assert (new.live, new.live_as) == (False, None)
    assert f"2 (live as {done['version']})" in runs_as_table([runs["run-2"]], 200).plain


def test_a_second_rollback_goes_further_back_and_never_to_what_was_left(place):
    call(place, "rollback", *WHY)
    assert call(place, "rollback", *WHY)["to_version"] == 1
    assert live_content(place) == "model 1"
    with pytest.raises(UserMistake, match="there is nothing older to go back to"):
        call(place, "rollback", *WHY)
    place.push(versions(place)[-1] + 1, "run-4")
    # 2 and 3 are withheld: the version before the new one is 1.
    assert call(place, "rollback", *WHY)["to_version"] == 1


def test_promote_undoes_a_rollback_and_releases_the_model(place):
    call(place, "rollback", "--to", 1, *WHY)
    bad = place.root / "artifacts" / "run-3" / "pushed"
    with pytest.raises(WithheldError, match="refunds were missing"):
        publish(str(bad), str(place.base))
    answer = call(place, "promote")
    assert (answer["to_version"], answer["reason"]) == (3, None)
    assert live_content(place) == "model 3"
    assert publish(str(bad), str(place.base)).created is False
    assert all(v["withheld"] is None for v in listed(place)["versions"])
    with pytest.raises(UserMistake, match="holds the newest model that was pushed, and is live"):
        call(place, "promote")


def test_promote_to_a_version_in_between(place):
    call(place, "rollback", "--to", 1, *WHY)
    assert call(place, "promote", "--to", 2, "--reason", "as a trial")["to_version"] == 2
    assert listed(place)["versions"][0]["reason"] == "as a trial"
    # 3 is still withheld.
    with pytest.raises(WithheldError):
        publish(str(place.root / "artifacts/run-3/pushed"), str(place.base))


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("rollback", ("--to", 5, *WHY), "version 5: is not known at .*: near it: 1, 2, 3;"),
        ("rollback", ("--to", 3, *WHY), "version 3: is live already"),
        ("rollback", (), "rollback: without a reason; expected --reason TEXT"),
        ("rollback", ("--reason", " \n "), "without a reason"),
        ("promote", ("--to", 2), "is older than the live one; .*fareline rollback --to 2"),
        ("promote", (), "holds the newest model"),
        ("rollback", (*WHY, "--destination", "/else"), "/else: models were pushed to /"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    place, command, arguments, message
):
    before = len(place.graph().artifacts_of_type("PushedModel"))
    with pytest.raises(UserMistake, match=message) as caught:
        call(place, command, *arguments)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert versions(place) == [1, 2, 3]
    assert len(place.graph().artifacts_of_type("PushedModel")) == before


def test_a_copy_is_named_by_its_own_number_too_and_newer_needs_promote(place):
    copy = call(place, "rollback", "--to", 2, *WHY)["version"]
    call(place, "rollback", "--to", 1, *WHY)
    with pytest.raises(UserMistake, match=f"is newer .*promote --to {copy}"):
        call(place, "rollback", "--to", copy, *WHY)
    assert call(place, "promote", "--to", copy)["to_version"] == 2


def test_a_version_that_no_record_knows_is_left_but_not_gone_back_to(place):
    (place.base / "9").mkdir()
    (place.base / "9" / "saved_model.pb").write_text("by hand")
    assert call(place, "rollback", *WHY)["to_version"] == 3
    with pytest.raises(UserMistake, match="version 9: is in the folder, but not recorded"):
        call(place, "promote", "--to", 9)


def test_changed_files_are_not_made_live_and_removed_ones_come_from_the_copy(place):
    (place.base / "2" / "saved_model.pb").write_text("tampered")
    with pytest.raises(UserMistake, match="version 2: the files in .* are not those that were"):
        call(place, "rollback", *WHY)
    place.forget(2)
    call(place, "rollback", *WHY)
    assert live_content(place) == "model 2"


def test_files_that_are_gone_everywhere_are_passed_over_and_refused_by_name(place):
    place.forget(2)
    shutil.rmtree(place.root / "artifacts" / "run-2")
    with pytest.raises(UserMistake, match="version 2: its files are gone from .* and from"):
        call(place, "rollback", "--to", 2, *WHY)
    assert call(place, "rollback", *WHY)["to_version"] == 1


def test_a_folder_that_is_gone_or_a_store_without_pushes_is_said(place, tmp_path):
    shutil.rmtree(place.base)
    with pytest.raises(UserMistake, match="the folder is gone; expected the versions"):
        call(place, "rollback", *WHY)
    assert not place.base.exists()
    with pytest.raises(UserMistake, match=r"metadata\.db: no such file"):
        CliRunner().invoke(
            cli.app,
            ["rollback", *WHY, "--workspace", str(tmp_path / "no")],
            catch_exceptions=False,
        )
    assert not (tmp_path / "no").exists()


def test_two_destinations_must_be_told_apart(place):
    other = place.root / "serving" / "bikes"
    place.push(7, "run-7", folder=other)
    with pytest.raises(UserMistake, match="models were pushed to .*bikes, .*taxi; .*--destination"):
        call(place, "rollback", *WHY)
    assert call(place, "rollback", *WHY, "--destination", place.base)["to_version"] == 2


def test_a_rollback_waits_for_no_run_and_refuses(place):
    with Workspace(place.root).locked(), pytest.raises(WorkspaceError, match="another run is"):
        call(place, "rollback", *WHY)
    assert versions(place) == [1, 2, 3]


def test_a_push_in_between_makes_the_decision_void(place, monkeypatch):
    real = rollback.bring_back

    def push_then_bring_back(base, wanted):
        place.push(4, "run-4")
        return real(base, wanted)

    monkeypatch.setattr(rollback, "bring_back", push_then_bring_back)
    with pytest.raises(PublishError, match="version 4 is live by now, not 3"):
        call(place, "rollback", *WHY)
    assert versions(place) == [1, 2, 3, 4]
    failed = [e for e in _executions(place) if e.type == ROLLBACK]
    assert [e.state for e in failed] == ["failed"]
    assert list((place.root / "artifacts" / "rollback" / "pushed_model").iterdir()) == []


def test_a_full_disk_leaves_everything_as_it_was(place, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(version_files, "_copy_tree", fail)
    with pytest.raises(PublishError, match="No space left.*no version was added"):
        call(place, "rollback", *WHY)
    monkeypatch.undo()
    assert versions(place) == [1, 2, 3]
    assert [v["withheld"] for v in listed(place)["versions"]] == [None] * 3


_ROLL_BACK = """
import sys
from cli import app as cli
sys.argv = ["fareline", "rollback", "--reason", "race", "--workspace", sys.argv[1]]
cli.main()
"""


def test_of_rollbacks_and_pushes_at_once_each_is_whole_or_refused(place):
    root = CHECKOUT
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _ROLL_BACK, str(place.root)],
            cwd=root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    models = [place.root / f"m{i}" for i in range(4)]
    for model in models:
        model.mkdir()
        (model / "saved_model.pb").write_text(model.name)
    pushers = [threading.Thread(target=publish, args=(str(m), str(place.base))) for m in models]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    told = [process.communicate(timeout=120)[1] for process in started]
    codes = [process.returncode for process in started]
    assert set(codes) <= {0, 1, 2}
    for code, words in zip(codes, told, strict=True):
        assert code == 0 or any(w in words for w in ("another run", "by now", "nothing older"))
    done = [e for e in _executions(place) if e.type == ROLLBACK and e.state == "executed"]
    assert len(done) == codes.count(0)
    assert len(versions(place)) == 3 + len(models) + len(done)
    for execution in done:
        copied = place.base / str(execution.properties["new_version"]) / "saved_model.pb"
        assert copied.read_text().startswith("model ")


def test_a_cached_run_pushes_again_what_the_last_push_does_not_name(place):
    """Its cached Pusher would claim version 3, or that no model was pushed."""
    store = place.graph().store
    base = str(place.base)
    assert needs_push(store, "run-3", base) is False
    call(place, "rollback", *WHY)
    assert needs_push(place.graph().store, "run-3", base)
    withheld = artifact("/p", pushed=0, withheld_version=3)
    place.writer.add_execution("taxi", "run-4", "Pusher", outputs={"pushed_model": [withheld]})
    answer = call(place, "promote")
    assert needs_push(place.graph().store, "run-3", base)
    again = artifact("/p", pushed=1, pushed_destination=answer["path"])
    place.writer.add_execution("taxi", "run-5", "Pusher", outputs={"pushed_model": [again]})
    assert needs_push(place.graph().store, "run-3", base) is False


def test_a_stock_store_without_digests_is_rolled_back_by_its_copies(tmp_path):
    root = tmp_path / "workspace"
    writer = StoreWriter(make_folder(root) / "metadata.db")
    base = root / "serving" / "taxi"
    for number in (1, 2):
        copy = make_folder(root / f"copy{number}")
        (copy / "saved_model.pb").write_text(f"model {number}")
        path = publish(str(copy), str(base), version=number).path
        pushed = artifact(copy, pushed=1, pushed_destination=path)
        writer.add_execution("taxi", f"r{number}", "Pusher", outputs={"pushed_model": [pushed]})
    (base / "1" / "saved_model.pb").write_text("tampered")
    store = open_store_to_write(root / "metadata.db")
    wish = rollback.Wish(ROLLBACK, None, "why")
    with pytest.raises(UserMistake, match="are not those that were pushed"):
        rollback.change_live_version(store, Workspace(root), wish)
    (base / "1" / "saved_model.pb").write_text("model 1")
    done = rollback.change_live_version(store, Workspace(root), wish)
    assert (done.change.pipeline, done.version.number > 2) == ("", True)
    back = rollback.change_live_version(store, Workspace(root), rollback.Wish(PROMOTE, None, ""))
    assert Path(back.version.path, "saved_model.pb").read_text() == "model 2"


def make_folder(path):
    path.mkdir(parents=True)
    return path


def _executions(place):
    graph = place.graph()
    graph.read_all()
    return graph.all_executions()
