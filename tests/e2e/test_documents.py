"""Every command in the documents does what the text says."""

import re
import shlex
import subprocess

import pytest
import yaml

from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH
from tests.e2e.conftest import FEW, fareline_command
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/command-line.md",
    "docs/data-sources.md",
    "docs/data.md",
    "docs/lineage.md",
    "docs/report.md",
)


def documented_commands():
    """(document, command, exit code) of every line in an `sh` block."""
    for name in DOCUMENTS:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            for line in block.splitlines():
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
    for setting in small_settings:
        path, _, value = setting.partition("=")
        *sections, name = path.split(".")
        section = settings
        for each in sections:
            section = section[each]
        section[name] = yaml.safe_load(value)
    settings["data"]["source"] = {"csv": str(small_csv)}  # and not the data set as well
    (folder / "my.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    settings["features"] = yaml.safe_load(FEW.partition("=")[2])
    settings["schema"] = None
    document = (CHECKOUT / "docs" / "data-sources.md").read_text(encoding="utf-8")
    spans = re.search(r"```yaml\n(data:\n  source:\n    csv: quarters/.*?)```", document, re.DOTALL)
    settings["data"] |= yaml.safe_load(spans[1])["data"]
    (folder / "spans.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    document = (CHECKOUT / "docs" / "data.md").read_text(encoding="utf-8")
    [years] = re.findall(
        r"```yaml\n(data:\n  source:\n    csv: by-year/.*?)```", document, re.DOTALL
    )
    settings["data"] |= yaml.safe_load(years)["data"] | {"window": 1}
    settings["schema"] = "taxi"
    (folder / "years.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def test_documents_hold_commands():
    assert {name for name, _, _ in COMMANDS} >= {"README.md", "CONTRIBUTING.md"}
    assert ("README.md", "make run", 0) in COMMANDS
    assert all(command.startswith(("make ", ".venv/bin/fareline ")) for _, command, _ in COMMANDS)


@pytest.mark.parametrize("command", sorted({c for _, c, _ in COMMANDS if c.startswith("make ")}))
def test_make_knows_its_targets(command):
    # A dry run: make run is what test_three_runs does, and make test is this.
    done = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [(c, code) for _, c, code in COMMANDS if c.startswith(".venv/bin/fareline ")],
)
def test_fareline_commands_do_what_is_said(command, code, folder):
    done = run_forked(**fareline_command(*shlex.split(command)[1:]) | {"cwd": folder})
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        said = re.sub(r"[^ \n]*/taxi\.yaml: ", "…/taxi.yaml: ", done.stderr)
        blamed = "--set " if " --set " in command else "…/taxi.yaml: "
        assert said.startswith(f"fareline: {blamed}")
        assert said in (CHECKOUT / "README.md").read_text(encoding="utf-8")
