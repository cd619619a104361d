"""Every command and option that a message names is there, on the command that says so."""

import ast
import re

import pytest
import typer.main

from cli import app
from fareline.packages import CHECKOUT, PACKAGES

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])")
COMMAND = re.compile(r"`?fareline ((?:--debug )?[a-z][a-z-]*(?: [a-z][a-z-]*)*)([^`.;\n]*)`?")
GLOBAL = {"--help", "--debug"}
# Options of other programs; what a caller's own option gave rise to; what another command was told.
OTHERS = {
    "cli.again",  # what the call was told, for the commands that have it
    "cli.app",  # --debug itself
    "fareline.start",
    "pipeline.nodes.bigquery",
    "runners.beam.profiles",  # options of Beam pipelines,
    "runners.beam.worker",  # and of its workers
    "runners.looping.replaying",  # options of the commands that it starts
    # Files that are written, with options of their own and of `step`.
    "runners.orchestrators.airflow",
    "runners.orchestrators.argo",
    "runners.orchestrators.celery",
    "runners.orchestrators.luigi",
    "runners.platforms.vertex.adapter",
    "runners.provenance",
    "runners.replay.reading.refusals",
    "serving.model.start",
    "serving.server.server",
    "serving.validation.process",
    "serving.validation.warm",
    "pipeline.evaluation.evaluator_inputs",
}
WHERE_GIVEN = {
    # Said only by commands that have the option, though others import the module.
    ("cli.views.baseline", "--reason"): "baseline pin, reset, unpin",
    ("cli.views.baseline", "--pipeline"): "baseline show, reset, unpin",
    ("data.writing.folders", "--version"): "data spans",
    ("lineage.answers.cache.explain", "--no-cache"): "what the run was told",
    ("lineage.answers.chain.chain", "--type"): "lineage upstream and downstream",
    ("lineage.answers.models.models", "--sort"): "lineage models",
    ("lineage.answers.verify.payloads", "--keep"): "of lineage prune",
    ("lineage.answers.verify.payloads", "--yes"): "of lineage prune",
    ("lineage.answers.reproduce.reproduce", "--config"): "of the run that it names",
    ("lineage.answers.reproduce.reproduce", "--set"): "of the run that it names",
    ("lineage.answers.reproduce.view", "--set"): "of the run that it names",
    ("lineage.facts.runs", "--config"): "of the run that it names",
    ("lineage.facts.runs", "--set"): "of the run that it names",
    ("runners.looping.loop", "--note"): "of the run that it starts",
    ("runners.platforms.vertex.container", "--host"): "of the serve that it starts",
    ("runners.looping.loop", "--tag"): "of the run that it starts",
    ("runners.looping.loop", "--as-of"): "of feedback build and monitor, in a replay",
    ("runners.looping.loop", "--output"): "of monitor, in a replay",
    ("runners.looping.loop", "--follow"): "of the submit that it starts",
    ("runners.looping.loop", "--job-id"): "of the submit that it starts",
    ("runners.looping.loop", "--unless-sent"): "of the submit that it starts",
    ("runners.looping.loop", "--reason"): "of the rollback that it starts",
    ("runners.looping.loop", "--destination"): "of the rollback that it starts",
    ("lineage.store.open", "--workspace"): "commands with a store",
    ("pipeline.rules.bigquery", "--set"): "run, check, compile, submit",
    ("pipeline.settings.blame", "--set"): "after --set was given",
    ("pipeline.settings.load", "--set"): "after --set was given",
    ("report.run.sections.record", "--no-cache"): "what the run was told",
    ("runners.stores", "--workspace"): "what a graph is found by",
    ("runners.local.partial_runs", "--from"): "of the run that it is part of",
    ("runners.outcome.summary", "--no-cache"): "of the run that it sums up",
    ("runners.platforms.errors", "--dry-run"): "submit",
    ("runners.platforms.errors", "--job-id"): "submit",
    ("runners.platforms.vertex.container", "--vertex"): "serve",
    ("runners.publishing.live_model", "--model-dir"): "predict and serve",
    ("runners.publishing.prediction_log", "--log-share"): "predict and serve",
    ("runners.publishing.reproduction", "--config"): "of the run that it starts",
    ("runners.publishing.reproduction", "--set"): "of the run that it starts",
    ("runners.steps.begin", "--run"): "step begin",
    ("runners.steps.frozen", "--run"): "step begin, end, graph, run",
    ("runners.stores", "--store"): "after --store was given",
    ("runners.submit.submission", "--job-id"): "after submit --job-id was given",
    ("runners.submit.submission", "--schedule"): "after submit --schedule was given",
    ("runners.workspace", "--workspace"): "commands with a workspace",
}


def _commands(group, words=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), {o for p in command.params for o in (*p.opts, *p.secondary_opts)}


COMMANDS = dict(_commands(typer.main.get_command(app.app)))
FILES = {
    path.relative_to(CHECKOUT).with_suffix("").as_posix().replace("/", "."): path
    for package in PACKAGES
    for path in (CHECKOUT / package).rglob("*.py")
}


def _parsed():
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _users(parsed):
    """Module to the commands that import it, directly or through others."""
    imports = {name: set(_imports(tree)) & set(parsed) for name, tree in parsed.items()}
    users = {}
    for words in COMMANDS:
        waiting, seen = ["cli." + ".".join(words).replace("-", "_")], set()
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += imports[module]
        for module in seen:
            users.setdefault(module, set()).add(words)
    return users


def _texts(tree):
    """The texts of a module that are no documentation and declare no option; values are X."""
    left_out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Option":
            left_out.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            left_out.update(node.values)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(getattr(part, "value", "X") if isinstance(part, ast.Constant) else "X"
                          for part in node.values)  # fmt: skip


@pytest.fixture(scope="module")
def said():
    """Module to what it says."""
    parsed = _parsed()
    return {name: list(_texts(tree)) for name, tree in parsed.items()}, _users(parsed)


def _named(text):
    """Commands that a text names, with the options named with each; and the rest of the text."""
    commands = []
    for match in COMMAND.finditer(text):
        words = match[1].removeprefix("--debug ").split()
        known = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in COMMANDS), None)
        is_group = any(command[0] == words[0] for command in COMMANDS)
        # A lower-case sentence may begin with our name: "fareline lineage X" has a value.
        commands.append((match[0], known, is_group, set(OPTION.findall(match[0])) - GLOBAL))
        text = text.replace(match[0], "")
    return commands, set(OPTION.findall(text)) - GLOBAL


def test_what_a_message_says_to_type_can_be_typed(said):
    wrong, checked = [], 0
    for module, texts in said[0].items():
        for text in texts:
            for snippet, command, is_group, options in _named(text)[0]:
                checked += 1
                if command is None and not is_group:
                    wrong.append(f"{module}: there is no {snippet}")
                elif command is not None and options - COMMANDS[command]:
                    wrong.append(f"{module}: {snippet} has no {sorted(options)}")
    assert wrong == []
    assert checked > 20


def test_an_option_that_a_message_recommends_is_one_of_the_command_that_says_so(said):
    wrong, used, checked = [], set(), 0
    texts, users = said
    for module in sorted(set(texts) - OTHERS - {"cli.options"}):
        for option in {o for text in texts[module] for o in _named(text)[1]}:
            # What is found by its name at run time has no users here: then some command must do.
            asked = users.get(module) or [c for c in COMMANDS if option in COMMANDS[c]][:1]
            lacking = [c for c in asked or COMMANDS if option not in COMMANDS[c]]
            checked += 1
            if (module, option) in WHERE_GIVEN:
                used.add((module, option))
            elif lacking:
                names = sorted(" ".join(command) for command in lacking)
                wrong.append(f"{module} names {option}, which {names} lack")
    assert wrong == []
    assert checked > 40
    assert set(WHERE_GIVEN) - used == set(), "no longer needed"
