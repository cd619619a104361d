"""The Dockerfile, what it lets in, and the program that builds it. Nothing is built here."""

import importlib
import itertools
import json
import os
import re
import subprocess
import sys

import pytest
from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from fareline.packages import CHECKOUT, PACKAGES, find_packages
from runners.submit import smoke

SCRIPT = CHECKOUT / ".ci" / "image.py"
sys.path.insert(0, str(SCRIPT.parent))  # where the scripts there find each other
clean_debian, image = (importlib.import_module(name) for name in ("clean_debian", "image"))
PINS = "requirements/current-py313.txt"


@pytest.fixture(scope="module")
def dockerfile():
    return DockerfileParser(path=str(CHECKOUT))


def stages(dockerfile):
    """Lists of (instruction, value), one list per stage; before them, what belongs to none."""
    found = [[]]
    for part in dockerfile.structure:
        if part["instruction"] == "FROM":
            found.append([])
        if part["instruction"] != "COMMENT":
            found[-1].append((part["instruction"], part["value"]))
    return found


def values(stage, instruction):
    return [value for found, value in stage if found == instruction]


def pinned(package):
    text = (CHECKOUT / PINS).read_text(encoding="utf-8")
    return re.search(rf"^{package}==(\S+)", text, re.MULTILINE)[1]


def test_every_image_from_outside_is_pinned(dockerfile):
    before, *built = stages(dockerfile)
    named = dict(value.split("=", 1) for value in values(before, "ARG"))
    assert re.fullmatch(
        rf"debian:{clean_debian.SUITE}-20\d{{6}}-slim@sha256:[0-9a-f]{{64}}", named["BASE"]
    )
    python = re.search(r"py(\d)(\d+)\.txt", PINS).groups()
    assert named["BEAM_SDK"] == f"apache/beam_python{'.'.join(python)}_sdk:{pinned('apache-beam')}"
    own = set()
    for stage in built:
        source, _, name = values(stage, "FROM")[0].partition(" AS ")
        assert source in own | {"${BASE}", "${BEAM_SDK}"}
        own.add(name)
    assert ":latest" not in dockerfile.content


def test_the_stand_ins_are_arguments_that_the_dockerfile_declares(dockerfile):
    before, *built = stages(dockerfile)
    assert {value.partition("=")[0] for value in values(before, "ARG")} == {"BASE", "BEAM_SDK"}
    declared = {value for stage in built for value in values(stage, "ARG")}
    assert declared == set(image.INDEXES)


def test_packages_come_by_hash_and_none_of_the_tests(dockerfile):
    installs = [
        command
        for stage in stages(dockerfile)
        for command in values(stage, "RUN")
        if re.search(r"pip install", command)
    ]
    assert len(installs) == 3  # uv; the pins; the project's wheel, which has no hash
    assert ["--require-hashes" in command for command in installs] == [True, True, False]
    assert all("--no-deps" in command for command in installs)
    assert "--no-index" in installs[2]
    assert all("--compile-bytecode" in command for command in installs[1:])
    assert f"COPY {PINS} " in dockerfile.content
    assert "-dev" not in re.sub(r"#.*", "", dockerfile.content)


def test_the_result_runs_as_a_user_by_number_and_starts_beams_boot(dockerfile):
    last = stages(dockerfile)[-1]
    (user,) = values(last, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    (entrypoint,) = values(last, "ENTRYPOINT")
    assert json.loads(entrypoint) == [str(smoke.BOOT)]
    assert f"--from=beam {smoke.BOOT.parent} {smoke.BOOT.parent}" in values(last, "COPY")
    assert not values(last, "CMD")
    instructions = [instruction for instruction, _ in last]
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    asked = [i for i, part in enumerate(last) if part == ("RUN", "python -m runners.submit.smoke")]
    assert asked and asked[0] > instructions.index("USER")  # as the user, not as root


def test_the_variables_are_those_that_the_smoke_command_demands(dockerfile):
    (variables,) = values(stages(dockerfile)[-1], "ENV")
    found = dict(part.split("=", 1) for part in variables.split())
    for name, expected in smoke.VARIABLES.items():
        assert found.get(name) == expected
    assert found["PATH"].startswith("/opt/fareline/bin:")  # `python` is the one with the packages


# .dockerignore, read as Docker reads it.


def let_in(folder):
    patterns = [
        line.strip()
        for line in (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    # These two are sent to the builder in any case; COPY leaves them out all the same.
    paths = set(exclude_paths(str(folder), patterns)) - {"Dockerfile", ".dockerignore"}
    return {path for path in paths if (folder / path).is_file()}


def test_all_of_the_project_is_let_in_and_nothing_else():
    listing = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    tracked = set(listing.stdout.splitlines())
    found = let_in(CHECKOUT)
    rooms = set(PACKAGES)
    wanted = {path for path in tracked if path.partition("/")[0] in rooms}
    wanted |= {"setup.py", "fareline_script.py", "pyproject.toml", PINS, "requirements/uv.txt"}
    assert wanted - found == set()
    assert {path for path in found & tracked if path not in wanted} == set()
    for package in find_packages():
        assert f"{package.replace('.', '/')}/__init__.py" in found
    assert "schema/taxi/schema.pbtxt" in found


def test_secrets_workspaces_and_caches_stay_out(tmp_path):
    unwanted = [
        ".env",
        "env.sh",
        "key.json",
        ".git/config",
        ".venv/bin/python",
        ".uv/uv",
        "workspace/metadata.db",
        "tests/unit/project/test_image.py",
        "requirements/current-py313-dev.txt",
        "fareline/__pycache__/errors.cpython-313.pyc",
        "cli/lineage/__pycache__/app.cpython-313.pyc",
        "pipeline/.env",
        "data/.credentials/key.json",
    ]
    for name in [*unwanted, "fareline/errors.py"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made up", encoding="utf-8")
    assert let_in(tmp_path) == {"fareline/errors.py"}


# .ci/image.py.


def call(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-S", SCRIPT, *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_skipping_is_announced_and_does_nothing(tmp_path):
    done = call(FARELINE_SKIP_CURRENT="1", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0
    assert done.stderr == (
        "image: SKIPPED, since FARELINE_SKIP_CURRENT=1: nothing is proved about the image\n"
    )
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def unskipped(monkeypatch, tmp_path):
    monkeypatch.delenv(clean_debian.SKIP, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(image.signal, "signal", lambda *_: None)


def test_without_buildah_it_fails_in_one_line(unskipped, monkeypatch, capsys):
    monkeypatch.setattr(image, "check_machine", lambda: None)
    monkeypatch.setattr(image, "install", lambda _: None)
    monkeypatch.setattr(image.shutil, "which", lambda _: None)
    assert image.main([]) == 2
    assert capsys.readouterr().err == (
        "image: there is no buildah. Hint: install buildah, or set FARELINE_SKIP_CURRENT=1.\n"
    )


class Recorded(image.Buildah):
    """Buildah that is not there: what it was asked for, and the answers it is given."""

    def __init__(self, cache, codes=None, answers=None):
        super().__init__(cache)
        self.calls = []
        self.codes, self.answers = codes or {}, answers or {}

    def call(self, *arguments, **_):
        self.calls.append(arguments)
        return self.codes.get(arguments[0], 0)

    def ask(self, *arguments):
        return self.answers[arguments[0]]

    def has(self, _):
        return True


def test_the_build_takes_only_stand_ins_and_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "made-up")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    buildah = Recorded(tmp_path)
    image.build(buildah, tmp_path)
    command = buildah.calls[0]
    assert command[0] == "build" and command[-1] == str(CHECKOUT)
    assert "--pull-never" in command
    given = [v for option, v in itertools.pairwise(command) if option == "--build-arg"]
    assert given == [
        f"BASE=localhost/{clean_debian.root_name((), 'base')}",
        "BEAM_SDK=localhost/beam-boot-stand-in",
        "UV_DEFAULT_INDEX",
    ]


def test_a_build_that_fails_is_no_proof(tmp_path):
    with pytest.raises(image.CannotRun, match="the Dockerfile could not be built; see above"):
        image.build(Recorded(tmp_path, {"build": 125}), tmp_path)


def test_other_pins_are_another_storage_and_the_old_one_goes(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    (checkout / "requirements").mkdir(parents=True)
    for name in ("Dockerfile", PINS, "requirements/uv.txt"):
        (checkout / name).write_text("one")
    monkeypatch.setattr(image, "CHECKOUT", checkout)
    storage = image.choose_storage(tmp_path)
    assert storage == image.choose_storage(tmp_path)
    storage.mkdir()
    (tmp_path / "image.lock").touch()
    (checkout / PINS).write_text("two")
    assert image.choose_storage(tmp_path) != storage
    assert not storage.exists() and (tmp_path / "image.lock").exists()


def test_the_proof_is_the_smoke_command_and_both_whole_pipelines():
    assert image.PROOF[0] == ("python", "-m", "runners.submit.smoke")
    compiled = {c[2]: c[4] for c in image.PROOF if c[:2] == ("fareline", "compile")}
    executed = [c[3] for c in image.PROOF if c[:3] == ("fareline", "run", "--spec")]
    assert compiled == {"vertex": "vertex.json", "kubeflow": "kubeflow.yaml"}
    assert executed == list(compiled.values())


def config_of(**config):
    return {"inspect": json.dumps({"OCIv1": {"config": config}})}


@pytest.mark.parametrize("user", ["", "0", "0:0", "root", "root:root"])
def test_an_image_that_runs_as_root_is_refused(user, tmp_path):
    answers = config_of(User=user, Entrypoint=["/opt/apache/beam/boot"])
    with pytest.raises(image.CannotRun, match="a user who is not root was expected"):
        image.inspect(Recorded(tmp_path, answers=answers))


def test_an_image_that_starts_something_else_is_refused(tmp_path):
    answers = config_of(User="1000:1000", Entrypoint=["bash"])
    with pytest.raises(image.CannotRun, match=r"starts \['bash'\]; Beam's boot was expected"):
        image.inspect(Recorded(tmp_path, answers=answers))
    answers = config_of(User="1000:1000", Entrypoint=["/opt/apache/beam/boot"])
    image.inspect(Recorded(tmp_path, answers=answers))


def test_commands_run_up_to_the_first_that_fails_and_the_container_is_removed(tmp_path):
    buildah = Recorded(tmp_path, {"run": 3}, {"from": "container-1"})
    with image.container_of(buildah) as container:
        assert image.run_inside(buildah, container, [["first"], ["second"]]) == 3
    assert [call[0] for call in buildah.calls] == ["run", "rm"]
    assert buildah.calls[0][-3:] == ("container-1", "--", "first")
    assert buildah.calls[1] == ("rm", "container-1")


class CodeOf(image.Buildah):
    """A container whose packages lie in a folder of this machine."""

    def __init__(self, folder):
        super().__init__(folder)
        self.folder = folder

    def ask(self, *arguments):
        python, flag, program, installed, *rooms = arguments[arguments.index("--") + 1 :]
        assert (python, flag, installed) == ("python", "-c", image.INSTALLED)
        command = [sys.executable, "-c", program, str(self.folder), *rooms]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_code_of_an_earlier_build_is_noticed(tmp_path, monkeypatch, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        for room in ("fareline", "models"):
            (folder / room).mkdir(parents=True)
            (folder / room / "__init__.py").write_text("one = 1")
    (here / "tests").mkdir()
    (here / "tests" / "__init__.py").write_text("not in the image")
    monkeypatch.setattr(image, "CHECKOUT", here)
    image.check_code(CodeOf(there), "container-1")
    assert "the code in the image is that of the checkout" in capsys.readouterr().err
    (here / "models" / "__init__.py").write_text("one = 2")
    with pytest.raises(image.CannotRun, match="the same was expected"):
        image.check_code(CodeOf(there), "container-1")
    (there / "models" / "__init__.py").write_text("one = 2")
    (here / "models" / "new.py").touch()
    with pytest.raises(image.CannotRun, match="the same was expected"):
        image.check_code(CodeOf(there), "container-1")


def test_nothing_that_changes_comes_from_a_mount(dockerfile):
    # Buildah 1.28 takes such a step from its cache though other things are mounted now. uv.txt, by
    # which uv is another one, is part of the storage's name.
    mounted = re.findall(r"--mount=type=bind,from=(\w+)", dockerfile.content)
    assert set(mounted) == {"uv"}


def test_what_is_not_proved_is_always_said(unskipped, monkeypatch, capsys):
    for name in ("check_machine", "get_buildah"):
        monkeypatch.setattr(image, name, lambda: None)
    for name in ("build", "inspect", "check_code"):
        monkeypatch.setattr(image, name, lambda *_: None)
    monkeypatch.setattr(image.Buildah, "call", lambda *_, **__: 0)
    monkeypatch.setattr(image.Buildah, "ask", lambda *_: "container-1")
    monkeypatch.setattr(image, "run_inside", lambda *_: 5)
    assert image.main([]) == 5
    said = capsys.readouterr().err
    assert "NOT PROVED: Beam's boot, and with it a Dataflow worker" in said
    assert "NOT PROVED: the base image of the registry, by its digest" in said
    assert said.count("NOT PROVED") == 3
