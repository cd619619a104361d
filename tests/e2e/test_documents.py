"""Every command in the documents does what the text says."""

import json
import re
import shlex
import subprocess
import time

import pyarrow.parquet as pq
import pytest
import yaml

from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH
from tests.e2e.conftest import FEW, SMALL, fareline_command
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/change.md",
    "docs/command-line.md",
    "docs/data-sources.md",
    "docs/data.md",
    "docs/debug.md",
    "docs/drift.md",
    "docs/erasure.md",
    "docs/first-run.md",
    "docs/lineage.md",
    "docs/model-to-request.md",
    "docs/report.md",
    "docs/tensorboard.md",
)
# Other pages whose `sh` blocks are run, each by the test that has what they need.
ELSEWHERE = {
    "docs/feedback.md": "tests/e2e/test_documents.py",
    "docs/monitoring.md": "tests/e2e/test_documents.py",
    "docs/own-code.md": "tests/e2e/own_code/test_own_code.py",
    "docs/own-data.md": "tests/e2e/test_own_data.py",
    "docs/kubeflow.md": "tests/component/runners/submit/test_cluster_documents.py",
    "docs/vertex.md": "tests/component/runners/submit/test_cluster_documents.py",
}
# Pages whose commands no test runs as they are written, and why.
NOT_RUN = {
    "docs/models.md": "they install XGBoost; tests/component/models runs trees where it is there",
    "docs/specs.md": "minutes each; tests/e2e/replays executes the same specifications",
    "docs/stores.md": "they need a database server of the reader",
    "docs/submit.md": "they need a cluster; tests/e2e/replays sends to a server on this machine",
}


def documented_commands():
    """(document, command, exit code) of every line in an `sh` block."""
    for name in DOCUMENTS:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        for block in re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE):
            for line in filter(str.strip, block.splitlines()):
                command, _, comment = line.partition("#")
                code = re.search(r"exit code (\d)", comment)
                yield name, command.strip(), int(code[1]) if code else 0


COMMANDS = list(documented_commands())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, after_third, refused, workspace, small_csv, small_run, small_settings):
    """Where a reader would stand: with the workspaces of earlier runs and settings files.

    The reader's own settings have been run before, so that the document's run finds its steps.
    """
    folder = tmp_path_factory.mktemp("reader")
    (folder / "workspace").symlink_to(workspace)
    (folder / "my-workspace").symlink_to(small_run.restore())
    (folder / "trips.csv").symlink_to(small_csv)
    settings = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    _put(settings, small_settings)
    settings["data"]["source"] = {"csv": str(small_csv)}  # and not the data set as well
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    settings["features"] = yaml.safe_load(FEW.partition("=")[2])
    settings["schema"] = None
    document = (CHECKOUT / "docs" / "data-sources.md").read_text(encoding="utf-8")
    spans = re.search(r"```yaml\n(data:\n  source:\n    csv: quarters/.*?)```", document, re.DOTALL)
    settings["data"] |= yaml.safe_load(spans[1])["data"]
    (folder / "spans.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    document = (CHECKOUT / "docs" / "drift.md").read_text(encoding="utf-8")
    [years] = re.findall(
        r"```yaml\n(data:\n  source:\n    csv: by-year/.*?)```", document, re.DOTALL
    )
    settings["data"] |= yaml.safe_load(years)["data"] | {"window": 1}
    settings["schema"] = "taxi"
    (folder / "years.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def _put(settings, values):
    """Changes plain settings as `--set` does."""
    for setting in values:
        path, _, value = setting.partition("=")
        *sections, name = path.split(".")
        section = settings
        for each in sections:
            section = section[each]
        section[name] = yaml.safe_load(value)


def test_documents_hold_commands():
    assert {name for name, _, _ in COMMANDS} >= {"README.md", "CONTRIBUTING.md"}
    assert ("README.md", "make run", 0) in COMMANDS
    assert all(command.startswith(("make ", "fareline ")) for _, command, _ in COMMANDS)


def test_every_page_with_commands_is_run_by_a_test():
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")]
    found = {
        page.relative_to(CHECKOUT).as_posix()
        for page in pages
        if re.search(r"^ *```(sh|bash|shell)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found - {*DOCUMENTS, *ELSEWHERE} == set(NOT_RUN)
    for page, test in ELSEWHERE.items():
        assert page in (CHECKOUT / test).read_text(encoding="utf-8")


def test_commands_are_written_one_way():
    for page in (CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")):
        lines = page.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.startswith(".venv/bin/fareline")] == [], page
        # A prompt would be a command and its output in one block.
        assert [line for line in lines if line.strip().startswith("$ ")] == [], page


@pytest.mark.parametrize("command", sorted({c for _, c, _ in COMMANDS if c.startswith("make ")}))
def test_make_knows_its_targets(command):
    # A dry run: make run is what test_three_runs does, and make test is this.
    done = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [(c, code) for _, c, code in COMMANDS if c.startswith("fareline ")],
)
def test_fareline_commands_do_what_is_said(command, code, folder):
    done = run_forked(**fareline_command(*shlex.split(command)[1:]) | {"cwd": folder})
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        said = re.sub(r"[^ \n]*/taxi\.yaml: ", "…/taxi.yaml: ", done.stderr)
        blamed = "--set " if " --set " in command else "…/taxi.yaml: "
        assert said.startswith(f"fareline: {blamed}")
        assert any(said in (CHECKOUT / name).read_text(encoding="utf-8") for name in DOCUMENTS)


# A wait of 36 seconds as one of 1.8.
SHORT = {"feedback.wait_hours=0.01": "feedback.wait_hours=0.0005"}


def ask(folder, command, code=0):
    words = [SHORT.get(word, word) for word in shlex.split(command)[1:]]
    done = run_forked(**fareline_command(*words, "--json") | {"cwd": folder})
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_walk_through_of_feedback(tmp_path, small_workspace, small_csv):
    (tmp_path / "workspace").symlink_to(small_workspace)
    (tmp_path / "trips.csv").symlink_to(small_csv)
    text = (CHECKOUT / "docs" / "feedback.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [block] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    predict, add, build, add_late, build_again = commands
    rows = ask(tmp_path, predict)["predicted"]
    (tmp_path / "outcomes.py").write_text(script.replace('open("', f'open("{tmp_path}/'))
    exec(compile((tmp_path / "outcomes.py").read_text(), "outcomes.py", "exec"), {})
    on_time = ask(tmp_path, add)["kept"]
    time.sleep(2)
    [span] = ask(tmp_path, build)["sealed"]
    assert (span["span"], span["version"], span["predictions"]) == (1, 1, rows)
    assert span["rows"] == on_time
    late = ask(tmp_path, add_late)["kept"]
    content = ask(tmp_path, build_again)
    [again] = content["sealed"]
    assert (again["span"], again["version"], again["rows"]) == (1, 2, on_time + late)
    assert content["states"]["late"] >= late > 50
    assert content["states"]["expired"] == rows - on_time - late > 50
    states = pq.read_table(f"{again['folder']}/states.parquet").to_pylist()
    taught = next(row["id"] for row in states if row["taught"])
    found = ask(tmp_path, f"fareline lineage impact {taught}")
    assert {start["type"] for start in found["starts"]} == {"FeedbackSpan"}
    assert ask(tmp_path, "fareline lineage verify")["findings"] == []
    read = f'data.source={{files: "{content["pattern"]}"}}'
    ask(tmp_path, shlex.join(["fareline", "check", "--set", read, "--set", SMALL[0]]))


def test_the_walk_through_of_monitoring(tmp_path, small_workspace, small_csv, small_settings):
    (tmp_path / "workspace").symlink_to(small_workspace)
    (tmp_path / "trips.csv").symlink_to(small_csv)
    text = (CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [block] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    [changes] = re.findall(r"```yaml\n(monitoring:\n  window_hours.*?)```", text, re.DOTALL)
    predict, add, monitor, loop = [line.partition("#")[0].strip() for line in block.splitlines()]
    settings = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    _put(settings, small_settings)
    settings |= yaml.safe_load(changes)
    settings["data"]["source"] = {"csv": str(small_csv)}
    (tmp_path / "watch.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    ask(tmp_path, predict)
    exec(compile(script.replace('open("', f'open("{tmp_path}/'), "outcomes.py", "exec"), {})
    ask(tmp_path, add)
    time.sleep(4)  # the window is over then, and so is the wait
    found = ask(tmp_path, monitor, 3)
    assert found["decision"]["action"] == "retrain"
    assert {alarm["kind"] for alarm in found["alarms"]} >= {"performance"}
    assert found["execution"].startswith("monitor#")
    telling = [w["slices"][0] for w in found["windows"] if w["slices"][0]["truth"]][-1]
    assert telling["truth"]["value"] < telling["estimate"]["value"] - 0.1
    assert "AUC of overall over windows" in (tmp_path / "watched.html").read_text(encoding="utf-8")
    decided = ask(tmp_path, loop, 3)
    assert decided["action"] == "retrain"
    assert "performance" in {cause["kind"] for cause in decided["causes"]}
    assert (
        ask(tmp_path, f"fareline lineage show {found['execution']}")["type"] == "fareline.monitor"
    )
