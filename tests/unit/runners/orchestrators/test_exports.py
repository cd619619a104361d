"""The text of exported files: what differs between pipelines, what an orchestrator is told."""

import ast
import dataclasses
import datetime
import pathlib
import re
import shlex
import sys

import pytest
import yaml
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from fareline.errors import UserMistake
from pipeline.settings.load import load_settings
from pipeline.settings.running.cron import require_cron
from runners.orchestrators.export import ORCHESTRATORS, console_script, export, require_export
from runners.orchestrators.plan import Plan

UPSTREAM = {"ExampleGen": [], "Beside": [], "Trainer": ["Beside", "ExampleGen"]}
PLAN = Plan(
    pipeline="it's \"taxi\"", upstream=UPSTREAM, script="/opt/a b/fareline", folder="/home/ä",
    workspace="/ws/$HOME", begin_options=["--set", "label=x'\\"], image="r.test/fareline:1",
    cron="TZ=Europe/Berlin 0 6 * * 1",
)  # fmt: skip
PYTHON = ("airflow", "luigi", "celery")

# All that Argo knows of what we write; github.com/argoproj/argo-workflows, docs/fields.md.
ARGO_KEYS = {
    "": {"apiVersion", "kind", "metadata", "spec"},
    "metadata": {"name", "generateName"},
    "spec": {"schedules", "timezone", "concurrencyPolicy", "workflowSpec", "entrypoint", "onExit",
             "volumes", "templates"},
    "workflowSpec": {"entrypoint", "onExit", "volumes", "templates"},
    "volumes": {"name", "persistentVolumeClaim"},
    "persistentVolumeClaim": {"claimName"},
    "templates": {"name", "dag", "inputs", "container", "retryStrategy"},
    "dag": {"tasks"},
    "tasks": {"name", "template", "arguments", "depends"},
    "arguments": {"parameters"},
    "inputs": {"parameters", "artifacts"},
    "parameters": {"name", "value"},
    "artifacts": {"name", "path", "raw"},
    "raw": {"data"},
    "retryStrategy": {"limit", "retryPolicy", "backoff", "expression"},
    "backoff": {"duration"},
    "container": {"image", "command", "args", "volumeMounts"},
    "volumeMounts": {"name", "mountPath"},
}  # fmt: skip


def constants(text):
    """The constants at the top of a Python file."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_file_holds_what_the_pipeline_is(name):
    text = ORCHESTRATORS[name](PLAN)
    found = constants(text)
    assert found["UPSTREAM"] == UPSTREAM
    assert list(found["UPSTREAM"]) == list(UPSTREAM)
    assert (found["PIPELINE"], found["FARELINE"]) == (PLAN.pipeline, PLAN.script)
    assert (found["FOLDER"], found["WORKSPACE"]) == (PLAN.folder, PLAN.workspace)
    assert found["BEGIN"] == PLAN.begin_options
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert lines
    assert not {line.split()[1].split(".")[0] for line in lines} & {"tfx", "tensorflow", "runners"}
    assert max(map(len, text.splitlines())) <= 100


def test_airflow_is_told_the_schedule_and_what_to_skip():
    found = constants(ORCHESTRATORS["airflow"](PLAN))
    assert (found["SCHEDULE"], found["ZONE"]) == ("0 6 * * 1", "Europe/Berlin")
    text = ORCHESTRATORS["airflow"](PLAN)
    assert "skip_on_exit_code=[REFUSED, BLOCKED]" in text
    assert 'trigger_rule="all_done"' in text
    assert "REFUSED, BLOCKED = 3, 10\n" in text


def keys(content, place=""):
    """(place, key) of every mapping of a document."""
    if isinstance(content, list):
        for each in content:
            yield from keys(each, place)
    elif isinstance(content, dict):
        for key, value in content.items():
            yield place, key
            yield from keys(value, key)


@pytest.mark.parametrize(("cron", "kind"), [(None, "Workflow"), ("0 6 * * 1", "CronWorkflow")])
def test_argo_has_no_key_that_it_does_not_know(cron, kind):
    plan = Plan("taxi", UPSTREAM, "", "", "", image="r.test/f:1", cron=cron, settings_text="a: 1\n")
    text = ORCHESTRATORS["argo"](plan)
    content = yaml.safe_load(text)
    assert content["kind"] == kind
    unknown = [(place, key) for place, key in keys(content) if key not in ARGO_KEYS[place]]
    assert unknown == []
    assert not re.search(r"[&*]id\d", text)  # each value where it stands
    spec = content["spec"] if cron is None else content["spec"]["workflowSpec"]
    templates = {each["name"]: each for each in spec["templates"]}
    waits = {task["name"]: task.get("depends") for task in templates["pipeline"]["dag"]["tasks"]}
    assert waits == {"begin": None, "ExampleGen": "begin", "Beside": "begin",
                     "Trainer": "Beside && ExampleGen"}  # fmt: skip
    assert spec["onExit"] == "end"
    assert templates["begin"]["inputs"]["artifacts"][0]["raw"] == {"data": "a: 1\n"}


def test_settings_travel_to_argo_and_are_named_by_path_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("runners.orchestrators.export.console_script", lambda: "/bin/fareline")
    config = tmp_path / "my.yaml"
    config.write_text("name: mine\n")
    settings = load_settings(None, ())
    call = (settings, UPSTREAM, tmp_path, config, ("seed=1",), None)
    assert constants(export("luigi", *call))["BEGIN"] == [
        "--config", str(config), "--set", "seed=1",
    ]  # fmt: skip
    begin = yaml.safe_load(export("argo", *call))["spec"]["templates"][1]
    assert begin["inputs"]["artifacts"][0]["raw"]["data"] == "name: mine\n"
    words = begin["container"]["args"]
    assert words[words.index("--config") + 1] == begin["inputs"]["artifacts"][0]["path"]
    assert begin["container"]["image"] == settings.runners.kubeflow.image
    without = settings.model_copy(
        update={"runners": settings.runners.model_copy(update={"kubeflow": None})}
    )
    with pytest.raises(UserMistake, match="runners.kubeflow.image: is not in the settings"):
        export("argo", without, *call[1:])


@pytest.mark.parametrize(
    ("name", "file", "cron", "said"),
    [
        ("airlow", "x.py", None, "fareline export: found airlow; expected one of airflow, argo"),
        ("airflow", "x.yaml", None, "x.yaml: its name ends in .yaml; expected .py."),
        ("argo", "x", None, "x: its name ends in nothing; expected .yaml."),
        ("luigi", "x.py", "@daily", "--cron: found @daily; expected five cron fields"),
        ("celery", "x.py", "0 6 31 2 *", "--cron: found 0 6 31 2 *; expected a day that there is"),
        ("airflow", "x.py", "0 6 * *", "--cron: found 0 6 * *; expected five cron fields"),
        ("argo", "x.yml", "61 * * * *", "--cron: found 61 * * * *; expected"),
    ],
)
def test_what_cannot_be_exported_is_one_line(tmp_path, name, file, cron, said):
    with pytest.raises(UserMistake) as mistake:
        require_export(name, tmp_path / file, cron)
    assert str(mistake.value).replace(f"{tmp_path}/", "").startswith(said)


def test_without_a_script_there_is_nothing_to_call(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UserMistake, match="fareline: no such file; expected the script"):
        console_script()


@pytest.mark.parametrize("name", ["luigi", "celery"])
@pytest.mark.parametrize(
    ("cron", "zone"), [("TZ=Europe/Berlin 0 6 * * 1", "Europe/Berlin"), ("0 6 * * 1", "UTC")]
)
def test_a_file_that_cron_starts_prints_its_line(tmp_path, capsys, monkeypatch, name, cron, zone):
    """The function alone: neither Luigi nor Celery is installed here."""
    monkeypatch.setattr("sys.executable", "/opt/a b/python")
    plan = dataclasses.replace(PLAN, cron=cron, folder="/home/100%")
    for schedule, code in ((plan, 0), (dataclasses.replace(plan, cron=None), 2)):
        found = crontab_of(ORCHESTRATORS[name](schedule), tmp_path / "my file.py")
        assert found("start") == code
    told = capsys.readouterr()
    file = f"'{tmp_path}/my file.py'"
    line = f"0 6 * * 1 cd /home/100\\% && '/opt/a b/python' {file} start"
    assert told.out.splitlines() == [f"CRON_TZ={zone}", line]
    assert told.err.count("\n") == 1


def crontab_of(text, file):
    """The function `crontab` of an exported file."""
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if getattr(node, "name", None) == "crontab"]
    names = {**constants(text), "__file__": str(file), "shlex": shlex, "sys": sys}
    names["pathlib"] = pathlib
    exec(compile(tree, str(file), "exec"), names)
    return names["crontab"]


def test_the_schedule_of_the_settings_is_that_of_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr("runners.orchestrators.export.console_script", lambda: "/bin/fareline")
    settings = load_settings(overrides=["loop.cron=TZ=Europe/Berlin 30 4 * * *"])
    call = (settings, UPSTREAM, tmp_path, None, ())
    spec = yaml.safe_load(export("argo", *call, None))["spec"]
    assert (spec["schedules"], spec["timezone"]) == (["30 4 * * *"], "Europe/Berlin")
    for name in PYTHON:
        found = constants(export(name, *call, None))
        assert (found["SCHEDULE"], found["ZONE"]) == ("30 4 * * *", "Europe/Berlin")
        assert constants(export(name, *call, "0 6 * * *"))["SCHEDULE"] == "0 6 * * *"


_FIELD = st.sampled_from(["*", "*/5", "1", "2-4", "1,3", "0", "5/2", "31", "7", "jan", "mon"])


@given(st.lists(_FIELD, min_size=5, max_size=5))
def test_croniter_reads_every_schedule_that_is_taken(fields):
    cron = " ".join(fields)
    try:
        require_cron(cron)
    except ValueError:
        return
    start = datetime.datetime(2026, 1, 1)
    assert croniter(cron, start).get_next(datetime.datetime) > start
