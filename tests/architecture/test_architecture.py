"""The rules of docs/architecture.md that a reader cannot check at a glance, over every module.

Rules about the text of modules are small functions over its syntax tree; each is first shown a
breach, so that it cannot pass by finding nothing.
"""

import ast
import functools
import importlib
import inspect
import json
import pickle
import re
import subprocess
import sys

import pytest

from fareline import recorded
from fareline.errors import FarelineError
from fareline.packages import CHECKOUT, PACKAGES
from pipeline import user_code
from tests.stores.writer import COMPLETE, StoreWriter

FILES = sorted(file for room in PACKAGES for file in (CHECKOUT / room).rglob("*.py"))
# Every other error is also the builtin that it means. An interrupt must stay an Exception, and a
# refusal of a model never leaves the check.
MEAN_NO_BUILTIN = ("FarelineError", "Interrupted", "RefusedModelError")
HEAVY = ("tensorflow", "tfx", "keras", "apache_beam", "pandas")


def relative(file):
    return file.relative_to(CHECKOUT).as_posix()


def module_name(file):
    parts = file.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def offenders(rule, files=FILES):
    """`file:line` of every breach of a rule, which takes a syntax tree and yields nodes."""
    return [f"{relative(file)}:{node.lineno}" for file in files for node in rule(tree_of(file))]


@functools.cache
def tree_of(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def breaches(rule, source):
    return [node.lineno for node in rule(ast.parse(source))]


def dotted(node):
    """`os.path.join` for such an expression; only its end where it starts with a call."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return ".".join(reversed(names))


def imported(tree):
    """Pairs of an import statement and a dotted name that it brings, as deep as it is named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def test_there_are_modules_to_look_at():
    assert {module_name(file).split(".")[0] for file in FILES} == set(PACKAGES)
    folders = {file.parent.name for file in CHECKOUT.glob("*/__init__.py")}
    assert folders - {"tests", "benchmarks"} == set(PACKAGES)


# Imports.


def lint_imports(folder):
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
         "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip


def test_import_contracts_hold():
    linted = lint_imports(CHECKOUT)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    kept = re.search(r"Contracts: (\d+) kept, 0 broken", linted.stdout)
    assert int(kept[1]) >= 7


# Module, what is planted in it, and how the answer names what is broken by it.
PLANTED = [
    ("lineage/facts/runs.py", "import data.taxi", "lineage.facts.runs -> data.taxi"),
    (
        "models/network.py",
        "import pipeline.settings.load",
        "models.network -> pipeline.settings.load",
    ),
    (
        "pipeline/rules/settings.py",
        "import models.trainer",
        "pipeline.rules.settings -> models.trainer",
    ),
    ("pipeline/settings/settings.py", "import pipeline.settings.load", ".settings -> .load"),
    ("preprocessing/features.py", "import tensorflow", "preprocessing.features -> tensorflow"),
    ("serving/versions/publish.py", "import tfx", "serving.versions.publish -> tfx"),
    # In a function, behind a condition, by a relative name, in a file of its own.
    (
        "data/reading/rows.py",
        "def f():\n    if not __debug__:\n        from data.sources import spans",
        "data.reading.rows -> data.sources.spans",
    ),
    (
        "lineage/answers/chain/more.py",
        "from ..impact import impact",
        "lineage.answers.chain.more -> lineage.answers.impact.impact",
    ),
    (
        "monitoring/drift/more.py",
        "def f():\n    import report.page",
        "monitoring.drift.more -> report.page",
    ),
]
# Modules and folders that no layer names.
NEW = ["pipeline/helpers.py", "runners/common/__init__.py", "lineage/shared.py", "data/tools.py"]


@pytest.fixture(scope="module")
def linted_with_all_planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for file in [*FILES, CHECKOUT / "pyproject.toml"]:
        copy = folder / file.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    for module in NEW:
        (folder / module).parent.mkdir(exist_ok=True)
        (folder / module).touch()
    for module, line, _ in PLANTED:
        with (folder / module).open("a") as source:
            source.write(f"\n{line}\n")
    return lint_imports(folder)


@pytest.mark.parametrize(("module", "line", "broken"), PLANTED)
def test_a_planted_import_breaks_a_contract(linted_with_all_planted, module, line, broken):
    linted = linted_with_all_planted
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert "BROKEN" in linted.stdout
    assert f"- {broken} (" in linted.stdout.replace("-   ", "- ")


def test_what_no_layer_names_breaks_the_contract_of_its_package(linted_with_all_planted):
    said = linted_with_all_planted.stdout
    named = {module.removesuffix(".py").removesuffix("/__init__") for module in NEW}
    assert {each for each in named if f"- {each.replace('/', '.')}\n" not in said} == set()


def imports_by_name(tree):
    """What imports a module whose name is a value, and so nothing that import-linter sees."""
    names = ("import_module", "__import__", "run_module", "run_path", "spec_from_file_location",
             "exec_module", "load_module", "pkgutil")  # fmt: skip
    yield from (
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name | ast.Attribute) and dotted(node).split(".")[-1] in names)
        or (isinstance(node, ast.Call) and dotted(node.func) in ("exec", "eval"))
    )
    yield from (node for node, name in imported(tree) if name.split(".")[-1] in names)


def test_modules_are_imported_by_a_name_where_there_is_a_reason():
    planted = (
        "import importlib as i\ni.import_module('cli.app')\n"
        "from importlib import import_module as m\n__import__('cli')\nexec('import cli')\n"
        "import runpy\nrunpy.run_module('cli')\nx.find_spec(a)\nself.eval('x')\nimport pkgutil"
    )
    assert sorted(breaches(imports_by_name, planted)) == [2, 3, 4, 5, 7, 10]
    assert {o.partition(":")[0] for o in offenders(imports_by_name)} == {
        # How our programs begin, and what stands in for a package until it is asked for.
        "fareline/start.py", "fareline/stand_in.py", "serving/model/start.py",
        "runners/replay/preloaded.py", "runners/replay/light_check.py", "runners/replay/forks.py",
        # What settings or components name: own code, functions that the layer may not import.
        "runners/own_code.py", "pipeline/evaluation/own_slices.py",
        "pipeline/ingest/protection.py",
        "pipeline/components/vertex/pusher.py",
        # Of platforms, only the one that is asked for.
        "runners/platforms/registry.py", "runners/submit/smoke.py",
        # Insides of TFMA and TensorFlow, which other releases may lack.
        "pipeline/evaluation/tfma_internals.py", "serving/model/tensorflow_parts.py",
        "serving/validation/reference.py",
    }  # fmt: skip


def google_cloud(tree):
    return [node for node, name in imported(tree) if f"{name}.".startswith("google.cloud.")]


def test_google_cloud_is_imported_by_the_client_of_vertex_and_the_bucket_only():
    assert breaches(google_cloud, "def f():\n    from google.cloud import storage") == [2]
    assert breaches(google_cloud, "import google.cloud.aiplatform as a") == [1]
    assert breaches(google_cloud, "from google import cloud") == [1]
    assert breaches(google_cloud, "import google.protobuf") == []
    found = {o.partition(":")[0] for o in offenders(google_cloud)}
    assert found == {
        "runners/platforms/vertex/bucket.py",
        "runners/platforms/vertex/connection.py",
    }


def google_api_core_at_once(tree):
    """Imports of a module, outside of functions, that warns of the Python that TFX needs."""
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    return [
        node
        for node, name in imported(tree)
        if f"{name}.".startswith("google.api_core.") and id(node) not in lazy
    ]


def test_googles_warning_on_python_is_not_shown():
    assert breaches(google_api_core_at_once, "from google.api_core import retry") == [1]
    assert breaches(google_api_core_at_once, "def f():\n    import google.api_core.retry") == []
    assert {o.partition(":")[0] for o in offenders(google_api_core_at_once)} == {
        "runners/submit/following.py", "runners/submit/submission.py",  # cli/submit.py hides it
    }  # fmt: skip


def orchestration(tree):
    """Imports of tfx.orchestration, and uses of it as an attribute of tfx."""
    yield from (
        n
        for n, name in imported(tree)
        if f"{name}.".startswith(("tfx.orchestration.", "tfx.v1.orchestration."))
    )
    yield from (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and dotted(node) in ("tfx.orchestration", "tfx.v1.orchestration")
    )


def test_user_functions_know_nothing_of_orchestration():
    assert breaches(orchestration, "from tfx.orchestration.portable import launcher") == [1]
    assert breaches(
        orchestration, "from tfx import v1 as tfx\ntfx.orchestration.LocalDagRunner()"
    ) == [2]
    user_files = [f for f in FILES if module_name(f).split(".")[0] in ("models", "preprocessing")]
    assert len(user_files) >= 8
    assert offenders(orchestration, user_files) == []


def future_annotations(tree):
    return [node for node, name in imported(tree) if name == "__future__.annotations"]


def test_components_keep_their_raw_annotations():
    assert breaches(future_annotations, "from __future__ import annotations") == [1]
    components = [f for f in FILES if relative(f).startswith("pipeline/components/")]
    assert len(components) >= 5
    assert offenders(future_annotations, components) == []


def test_every_user_function_resolves_to_a_callable():
    paths = {name: getattr(user_code, name) for name in dir(user_code) if name.endswith("_FN")}
    assert set(paths) == {"PREPROCESSING_FN", "RUN_FN", "TUNER_FN", "PII_KEY_FN", "VERTEX_PUSH_FN"}
    parameters = {}
    for name, path in paths.items():
        module, _, function = path.rpartition(".")
        resolved = getattr(importlib.import_module(module), function)
        parameters[name] = list(inspect.signature(resolved).parameters)
    # As TFX calls them; the key is asked for by our own ExampleGen.
    assert parameters == {
        "PREPROCESSING_FN": ["inputs", "custom_config"],
        "RUN_FN": ["fn_args"],
        "TUNER_FN": ["fn_args"],
        "PII_KEY_FN": [],
        "VERTEX_PUSH_FN": ["target", "model_dir", "sha256", "facts", "says", "story"],
    }


def modules_started_by_name(tree):
    """Lists that begin a command with our Python and `-m`: fareline.start knows how to do that."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) > 1:
            first, second = node.elts[:2]
            minus_m = isinstance(second, ast.Constant) and second.value == "-m"
            if dotted(first) == "sys.executable" and minus_m:
                yield node


def test_processes_of_ours_are_started_with_our_names_secured():
    planted = "a = [sys.executable, '-m', 'x']\nb = [sys.executable, '-c', 'x']\nc = ['x', '-m']"
    assert breaches(modules_started_by_name, planted) == [1]
    assert offenders(modules_started_by_name) == []


# The environment and files.


def environment(tree):
    names = ("os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) in names:
            yield node
    yield from (node for node, name in imported(tree) if name in names)


def test_the_environment_is_read_by_runners_and_the_command_line_only():
    source = "import os\nos.environ['A']\nos.getenv('A')\nfrom os import environ\nos.path.sep"
    assert breaches(environment, source) == [2, 3, 4]
    found = offenders(environment)
    assert [o for o in found if not o.startswith(("runners/", "cli/"))] == []
    assert any(o.startswith("runners/own_code.py:") for o in found)


def replacing(tree):
    """What puts a file in the place of another by hand: renames, and names of temporary files."""
    names = ("rename", "renames", "NamedTemporaryFile", "mkstemp", "fsync")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        if called == "os.replace" or called.split(".")[-1] in names:
            yield node
        elif called.endswith(".replace") and len(node.args) == 1 and not node.keywords:
            yield node  # Path.replace; texts, dates and dataclasses take more, or keywords
    for node, name in imported(tree):
        if name.split(".")[-1] in (*names, "replace") and name.startswith(("os.", "tempfile.")):
            yield node


# Everything else is written by fareline.files.
REPLACE_THEMSELVES = {
    "fareline/files.py": "the one way",
    "data/writing/folders.py": "whole folders, which are refused where there is something already",
    "data/generate/cut_spans.py": "within a folder that nobody sees yet",
    "serving/versions/files.py": "versions: whole folders, written through and compared first",
    "serving/server/log_files.py": "a log that is closed by its rename",
    "pipeline/data_gate/passed_data.py": "may be in a bucket, which TFX's fileio knows",
    "lineage/answers/prune/payloads.py": "moves what is to be removed out of the way",
}


def test_files_are_written_whole_by_one_module():
    planted = (
        "os.replace(a, b)\npart.rename(path)\npart.replace(path)\ntempfile.mkstemp()\n"
        "from os import replace\nos.fsync(f)\ntext.replace('a', 'b')\nwhen.replace(year=1)\n"
        "tempfile.TemporaryDirectory()\ndataclasses.replace(a, b=1)\nfrom os import path"
    )
    assert sorted(breaches(replacing, planted)) == [1, 2, 3, 4, 5, 6]
    found = {offender.split(":")[0] for offender in offenders(replacing)}
    assert found == set(REPLACE_THEMSELVES)


def parsing_records(tree):
    """JSON that is parsed where an argument is named as a property that our pipelines record."""
    ours = {name for name in vars(recorded) if name.isupper()}
    for node in ast.walk(tree):
        called = dotted(node.func) if isinstance(node, ast.Call) else ""
        if called.split(".")[-1] not in ("parse_json", "loads", "validate_json"):
            continue
        inside = [n for argument in node.args for n in ast.walk(argument)]
        names = {
            dotted(n).split(".")[-1] for n in inside if isinstance(n, ast.Name | ast.Attribute)
        }
        texts = {n.value for n in inside if isinstance(n, ast.Constant)}
        if names & ours or texts & {getattr(recorded, name) for name in ours}:
            yield node


def test_records_are_parsed_where_their_types_are():
    planted = (
        "json.loads(a.properties[recorded.VERDICT])\nparse_json(a.properties.get(METRICS))\n"
        "json.loads(a.get_string_custom_property('drifted'))\njson.loads(answer)\n"
        "parse_json(properties.get('input_config'))"
    )
    assert sorted(breaches(parsing_records, planted)) == [1, 2, 3]
    assert offenders(parsing_records) == []


READING = ("open", "read_text", "read_bytes", "exists", "is_file", "is_dir", "glob", "rglob",
           "iterdir", "listdir", "scandir", "stat", "getenv", "get_data", "run", "Popen",
           "check_output", "urlopen", "find_spec", "version")  # fmt: skip


def reads_at_import(tree):
    """Calls that read a file, a folder, another process or the environment, outside functions."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The body runs later; decorators and defaults run now.
            defaults = [d for d in node.args.kw_defaults if d]
            waiting += [*node.decorator_list, *node.args.defaults, *defaults]
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.If) and "__main__" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in READING:
            yield node
        if isinstance(node, ast.Attribute) and dotted(node) == "os.environ":
            yield node
        waiting += ast.iter_child_nodes(node)


def test_nothing_is_read_at_import():
    planted = """
A = Path(__file__).read_text()
B = os.environ["B"]
class C:
    d = open("d").read()
def f(x=Path("x").exists()):
    return open("later")
g = lambda: open("later")
if __name__ == "__main__":
    open("later")
with open("now"):
    pass
"""
    assert sorted(breaches(reads_at_import, planted)) == [2, 3, 5, 6, 11]
    assert offenders(reads_at_import) == []


# A light start.


@pytest.fixture
def small_workspace(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    writer.add_run("taxi", "run-1", 1_767_268_800_000, {"Trainer": (COMPLETE, 1)})
    return tmp_path


LIGHT_START = """
import json, sys
{statements}
packages = {{name.partition(".")[0] for name in sys.modules}}
print(json.dumps(sorted(packages & set({heavy!r}))), file=sys.stderr)
"""


def heavy_packages_after(statements, *arguments):
    code = LIGHT_START.format(statements=statements, heavy=HEAVY)
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(ran.stderr.splitlines()[-1]), ran.stdout


def test_heavy_packages_are_noticed():
    assert heavy_packages_after("import pandas")[0] == ["pandas"]


def test_the_command_line_and_lineage_start_light(small_workspace):
    statements = "from cli import app as cli; sys.argv[0] = 'fareline'; assert cli._run_app() == 0"
    heavy, answer = heavy_packages_after(
        statements, "lineage", "runs", "--json", "--workspace", small_workspace
    )
    assert heavy == []
    assert [run["run_id"] for run in json.loads(answer)] == ["run-1"]


def test_the_command_line_loads_no_settings_before_a_command_asks_for_them():
    code = "import sys, cli.app; print({'pydantic', 'yaml', 'pipeline'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "set()\n"


def test_a_wrong_setting_is_answered_before_anything_heavy_is_loaded():
    statements = "from cli import app as cli; assert cli._run_app() == 2, 'no mistake found'"
    code_and_answer = heavy_packages_after(
        f"{statements}; print(file=sys.stderr)", "run", "--set", "training.step=1"
    )
    assert code_and_answer == ([], "")


@pytest.mark.parametrize(
    "module",
    [
        "cli.app",
        "cli.doctor",
        "data.sources.csv",
        "data.taxi",
        "fareline.errors",
        "lineage.facts.runs",
        "lineage.answers.runs.view",
        "lineage.store.open",
        "pipeline.rules.settings",
        "pipeline.settings.load",
        "pipeline.user_code",
        "preprocessing.features",
        "runners.local.run",
        "runners.looping.loop",
        "runners.progress",
        "runners.steps.hand_over",
        "runners.workspace",
        "schema.curated",
        "schema.gate.anomalies",
        "serving.versions.publish",
    ],
)
def test_modules_that_promise_to_be_light_are(module):
    assert heavy_packages_after(f"import {module}")[0] == []


# Errors.


def test_a_local_run_does_not_load_the_google_cloud_clients():
    """They take four of the eleven seconds that importing all of TFX takes."""
    code = (
        "import sys\nfrom fareline import collector\n"
        "with collector.paused():\n    import pipeline.dag, runners.local.runner\n"
        "    import runners.outcome.summary\n"
        "print([m for m in ('google.cloud.aiplatform', 'tfx.v1', 'kfp') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=120
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_every_error_survives_pickling():
    for file in FILES:
        importlib.import_module(module_name(file))

    def with_subclasses(cls):
        return [cls, *(deeper for sub in cls.__subclasses__() for deeper in with_subclasses(sub))]

    ours = [c for c in with_subclasses(FarelineError) if c.__module__.split(".")[0] in PACKAGES]
    assert {c.__name__ for c in ours} >= {
        "FarelineError", "UserMistake", "SettingsError", "DataError", "WorkspaceError",
        "DataAnomalies",
    }  # fmt: skip
    for cls in ours:
        error = cls.explain("trips.csv", "empty", "expected rows", "export it again")
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is cls
        assert str(copy) == "trips.csv: empty; expected rows. Hint: export it again."
        assert copy.exit_code == cls.exit_code
        assert cls.exit_code in (1, 2, 75, 130)
        builtins = [base for base in cls.__mro__ if base.__module__ == "builtins"]
        if cls.__name__ not in MEAN_NO_BUILTIN:
            assert builtins != [Exception, BaseException, object], cls


# Files.


def test_every_module_says_what_it_holds():
    untold = [relative(f) for f in FILES if not ast.get_docstring(ast.parse(f.read_text("utf-8")))]
    assert untold == []


def test_no_room_for_odds_and_ends():
    named = [relative(f) for f in FILES if f.stem in ("utils", "helpers", "common", "misc")]
    assert named == []


def unsafe_loading(tree):
    """Loaders that would run what a file tells them to: yaml.load without a safe loader, pickle."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        loaders = [dotted(value) for value in (*node.args[1:], *(k.value for k in node.keywords))]
        if called in ("yaml.load", "yaml.load_all") and not any("Safe" in name for name in loaders):
            yield node
        if called.startswith(("yaml.unsafe_load", "yaml.full_load")):
            yield node
    pickles = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
    yield from (node for node, name in imported(tree) if name.split(".")[0] in pickles)


def test_no_loader_that_runs_what_it_reads():
    planted = "yaml.load(f)\nyaml.load(f, Loader=yaml.SafeLoader)\nimport pickle\nyaml.full_load(f)"
    assert sorted(breaches(unsafe_loading, planted)) == [1, 3, 4]
    assert offenders(unsafe_loading) == []
