"""What people type without thinking, since other command lines take it."""

import itertools
import os
import re
import shlex
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

import fareline
from cli import app as cli
from cli.examples import EXAMPLES
from cli.parser import PANELS, behind_the_command
from fareline.packages import CHECKOUT
from tests.needs import find_program
from tests.stores.writer import COMPLETE, StoreWriter

USAGE = "Usage: fareline"
NO_STORE = "no such file; expected a metadata store"


@pytest.fixture
def type_line(monkeypatch, capsys, tmp_path):
    """Types a line in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(cli._Debug, "on", False)
        monkeypatch.setattr(sys, "argv", ["fareline", *words])
        code = cli._run_app()
        return (code, *capsys.readouterr())

    return run


# The line, the exit code, and what is said where.
HABITS = [
    ("--version", 0, f"^{re.escape(fareline.__version__)}$", ""),
    ("version", 0, f"^{re.escape(fareline.__version__)}$", ""),
    ("-h", 0, USAGE, ""),
    ("--help", 0, USAGE, ""),
    ("help", 0, USAGE, ""),
    ("help run", 0, f"{USAGE} run", ""),
    ("help lineage show", 0, f"{USAGE} lineage show", ""),
    ("help lineage", 0, f"{USAGE} lineage", ""),
    ("help runn", 2, "", "runn: .* expected such as run"),
    ("help run more", 2, "", "more: `fareline run` has no such command"),
    ("run -h", 0, f"{USAGE} run", ""),
    ("lineage show -h", 0, f"{USAGE} lineage show", ""),
    ("", 2, USAGE, ""),
    ("lineage", 2, f"{USAGE} lineage", ""),
    ("runn", 2, "", "^fareline: .*No such command 'runn'.*did you mean run"),
    ("lineage shwo", 2, "", "^fareline: lineage: No such command 'shwo'.*did you mean show"),
    ("run --sett a=1", 2, "", "^fareline: run: No such option: --sett;.*did you mean --set"),
    ("run --set", 2, "", "^fareline: .*'--set' requires an argument"),
    ("run surplus", 2, "", r"^fareline: run: .*extra argument.*surplus"),
    ("run --span soon", 2, "", "^fareline: run: .*'--span'.*integer"),
    ("lineage runs --limit 0", 2, "", "^fareline: lineage runs: .*'--limit'"),
    ("compile", 2, "", "^fareline: compile: Missing argument 'kubeflow|vertex'"),
    ("lineage path A:1", 2, "", "^fareline: lineage path: Missing argument 'B'"),
    ("data generate", 2, "", "^fareline: data generate: Missing option '--output'"),
    ("runs -w nowhere", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("runs --workspace nowhere", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("status -w nowhere", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("settings -c none.yaml", 2, "", "none.yaml: "),
    ("settings --config=none.yaml", 2, "", "none.yaml: "),
    ("--debug runs", 2, "", "Traceback"),
    ("runs --debug", 2, "", "Traceback"),
    ("--debug", 2, "", "Missing command"),
    ("runs --json --debug -w nowhere", 2, "", "Traceback"),
    ("-V", 0, f"^{re.escape(fareline.__version__)}$", ""),
    ("Run", 2, "", "did you mean run"),
    ("run -c", 2, "", "^fareline: run: Option '-c' requires an argument"),
    ("run -cnone.yaml", 2, "", "^fareline: none.yaml: "),
    ("run --no_cache", 2, "", "^fareline: run: .*did you mean --no-cache"),
    ("runs --workspace", 2, "", "^fareline: runs: Option '--workspace' requires an argument"),
    ("runs --json=true", 2, "", "^fareline: runs: Option '--json' does not take a value"),
    ("runs --limit=ten", 2, "", "'--limit': it should be a valid integer; expected what"),
    (
        "ui --port 99999",
        2,
        "",
        "^fareline: ui: .*'--port': it should be less than or equal to 65535",
    ),
    ("lineage export --format xml", 2, "", "'--format': 'xml' is not one of 'html', 'dot'"),
    ("lineage export --format htm", 2, "", "'htm' is not one of .* Hint: did you mean html"),
    ("data spans -o x --by Month", 2, "", "'Month' is not one of .* Hint: did you mean month"),
    # What belongs to a command may stand before it as well.
    ("-w nowhere runs", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("-wnowhere --json lineage show live", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("lineage --workspace=nowhere runs", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("-c none.yaml --no-cache run", 2, "", "^fareline: none.yaml: "),
    ("--set trainin.steps=5 check", 2, "", "^fareline: --set trainin.steps: "),
    ("--store x schema log", 2, "", "^fareline: schema log: No such option: --store"),
    ("--wrkspace here runs", 2, "", "^fareline: the command.*--wrkspace; .*did you mean --worksp"),
    ("-w here", 2, "", "^fareline: the command line: Missing command"),
    ("-w here -h", 0, USAGE, ""),
    # In every group `help` is that of the command line.
    ("lineage help", 0, f"{USAGE} lineage", ""),
    ("lineage help show", 0, f"{USAGE} lineage show", ""),
    ("data help generate", 0, f"{USAGE} data generate", ""),
    ("schema help difff", 2, "", "difff: `fareline schema` has no such command; .*such as diff"),
    # Names are found in other letters, and in other groups.
    ("RUN", 2, "", "did you mean run"),
    ("run --SET a=1", 2, "", "did you mean --set"),
    ("lineage why", 2, "", "^fareline: lineage: No such command.*did you mean `fareline why`"),
    ("diff a b", 2, "", "`fareline schema diff` or `fareline lineage diff`"),
    ("models -w nowhere", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("lineage models -w nowhere", 2, "", f"nowhere/metadata.db: {NO_STORE}"),
    ("settings --set trainin.steps=5", 2, "", "^fareline: --set trainin.steps: .*mean training"),
    ("settings --set training.steps", 2, "", "^fareline: --set training.steps: found no KEY=VALUE"),
    ("compile vertx", 2, "", "found vertx; expected kubeflow or vertex. Hint: did you mean vertex"),
    ("check Vertex", 2, "", "found Vertex; .*did you mean vertex"),
    ("submit kubflow", 2, "", "found kubflow; .*did you mean kubeflow"),
    ("export airfow -o dag.py", 2, "", "found airfow; .*did you mean airflow"),
    ("help -- --debug", 2, "", "--debug: `fareline` has no such command"),
]


@pytest.mark.parametrize(("line", "code", "out", "err"), HABITS, ids=[h[0] for h in HABITS])
def test_a_line_that_other_tools_take(type_line, line, code, out, err):
    ended, said, complained = type_line(*shlex.split(line))
    assert ended == code, said + complained
    assert re.search(out, said, re.MULTILINE), said
    assert bool(out) == bool(said.strip())
    assert re.search(err, complained, re.MULTILINE), complained
    assert bool(err) == bool(complained.strip())
    if code == 2 and err and "Traceback" not in err:
        assert complained.count("\n") == 1


@pytest.mark.parametrize("line", ["runs", "logs", "status", "lineage show live", "models"])
def test_a_place_of_somebody_else_is_a_mistake(type_line, monkeypatch, line):
    def refuse(path, *more, **others):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.resolve", refuse)
    place = "/home/another"
    code, said, complained = type_line(*line.split(), "-w", place)
    assert (code, said) == (2, "")
    assert complained.startswith(f"fareline: {place}: cannot be used (Permission denied); expected")
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("FARELINE_WORKSPACE", "runs", f"elsewhere/metadata.db: {NO_STORE}"),
        ("FARELINE_CONFIG", "settings", "elsewhere: "),
    ],
)
def test_what_is_always_the_same_stands_in_the_environment(
    type_line, monkeypatch, name, line, said
):
    monkeypatch.setenv(name, "elsewhere")
    assert said in type_line(line)[2]
    # The command line goes first.
    option = "-w" if name == "FARELINE_WORKSPACE" else "-c"
    assert "elsewhere" not in type_line(line, option, "here")[2]


def commands(group, words=()):
    """Each command with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


def groups(group, words=()):
    """Each group with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield " ".join((*words, name)), command


def test_every_option_may_stand_before_its_command_too():
    root = typer.main.get_command(cli.app)
    below = dict(groups(root))
    own = {"--version", "--debug"}  # of the first group itself
    for words, command in COMMANDS.items():
        name, *rest = words.split()
        for param in command.params:
            if param.param_type_name != "option":
                continue
            for option in param.opts:
                said = [option, *(() if param.is_flag else ["value"] * param.nargs)]
                moved = [name, *said, *rest, "more"]
                if option not in own:
                    assert behind_the_command(root, [*said, *words.split(), "more"]) == moved
                if rest:  # and before that of a group
                    moved = [*rest, *said, "more"]
                    assert behind_the_command(below[name], [*said, *rest, "more"]) == moved


@pytest.mark.parametrize("words", dict(groups(typer.main.get_command(cli.app))))
def test_help_in_a_group_is_help_of_the_group(type_line, words):
    shown = type_line(*words.split(), "help")
    assert shown == type_line("help", *words.split())
    assert shown[0] == 0


def test_every_command_has_an_example_and_no_other():
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_the_example_in_the_help_of_a_command_can_be_typed(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    program, *typed = shlex.split(EXAMPLES[words])
    count = len(words.split())
    assert (program, typed[:count]) == ("fareline", words.split())
    COMMANDS[words].make_context(words, typed[count:])  # raises what the parser does not take
    shown = CliRunner().invoke(cli.app, [*words.split(), "--help"], prog_name="fareline").output
    assert f"Example: {EXAMPLES[words]}" in " ".join(shown.split())


@pytest.mark.parametrize("words", COMMANDS)
def test_help_has_no_names_of_python_types_and_no_line_beyond_80(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(cli.app, [*words.split(), "--help"], prog_name="fareline").output
    assert not re.search(r"<\w+.*?>|\[\[|list\[", shown)
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"[{}…]", re.search(r"Usage: (.*)", shown)[1])
    # What a value is, and not only that it is a text; what a person says is one.
    values = {param.name: param.metavar for param in COMMANDS[words].params}
    texts = {name for name, metavar in values.items() if metavar in ("TEXT", "PATH")}
    assert texts <= {"note", "reason"}
    # Lines of a paragraph are as long as they can be.
    about = [line.strip() for line in shown.partition("╭")[0].splitlines()]
    for line, following in itertools.pairwise(about[3:]):
        assert not line or not following or len(f"{line} {following.split()[0]}") > 78


def test_commands_stand_in_panels_by_the_alphabet():
    shown = CliRunner().invoke(cli.app, ["--help"], prog_name="fareline").output
    panels = re.findall(r"╭─ (\w+) ", shown)
    assert panels == ["Options", *PANELS]
    rows = re.findall(r"╭─ (\w+) |│ (\w+)  ", shown)
    names = {}
    for panel, name in rows:
        if panel:
            names[panel] = []
        else:
            names[next(reversed(names))].append(name)
    assert names["Models"] == [
        "baseline",
        "feedback",
        "loop",
        "models",
        "monitor",
        "predict",
        "promote",
        "rollback",
        "serve",
        "undeploy",
    ]
    for panel in PANELS:
        assert names[panel] == sorted(names[panel])


def test_defaults_that_no_value_says_are_in_the_help():
    shown = " ".join(CliRunner().invoke(cli.app, ["run", "--help"]).output.split())
    assert "[default: (latest)]" in shown
    assert "the taxi pipeline" in shown


COMPLETED = [
    ("fareline lin", ["lineage"]),
    ("fareline run --sp", ["--span", "--spec"]),
    ("fareline -w there why run-1", ["run-1"]),
]
# The same for every shell; here as bash asks.
OFFERED = [
    ("fareline lin", "lineage"),
    ("fareline lineage sh", "show"),
    ("fareline lineage show li", "live"),
    ("fareline help lineage sh", "show"),
    ("fareline run --sp", "--span --spec"),
    ("fareline compile ver", "vertex"),
    ("fareline check k", "kubeflow"),
    ("fareline submit v", "vertex"),
    ("fareline export ", "airflow argo luigi celery"),
    ("fareline loop --o", "--once"),
    ("fareline step ", "begin end graph run"),
    ("fareline feedback ", "add build erase log"),
    ("fareline feedback build --as", "--as-of"),
    ("fareline lineage help ver", "verify"),
    ("fareline lineage export latest --format d", "dot"),
    ("fareline lineage show -w there l", "latest live"),
    ("fareline lineage diff -w there latest run", "run-2 run-1"),
    ("fareline -w there why run-2", "run-2"),
    ("fareline report -w there ", "latest run-2 run-1"),
    ("fareline run -w there --reuse run-2", "run-2"),
    ("fareline logs -w there latest T", "Trainer Transform"),
    ("fareline lineage explain-cache -w there latest Tra", "Trainer Transform"),
    ("fareline logs -w nowhere ", "latest"),
    ("fareline run -c ch", ""),  # a file: the shell's own
]


@pytest.fixture
def logs(tmp_path):
    """A workspace `there` that two runs have left their logs in."""
    for run in ("run-1", "run-2"):
        (tmp_path / "there" / "logs" / run).mkdir(parents=True)
        for name in (run, f"{run}/Trainer", f"{run}/Transform"):
            (tmp_path / "there" / "logs" / f"{name}.log").touch()


@pytest.mark.parametrize(("line", "expected"), OFFERED, ids=[o[0] for o in OFFERED])
def test_what_is_offered_to_a_shell(type_line, logs, monkeypatch, line, expected):
    words = line.split(" ")
    monkeypatch.setenv("_FARELINE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert type_line()[1].split() == expected.split()


ASKED = {
    "bash": """
eval "$(_FARELINE_COMPLETE=source_bash fareline)"
COMP_WORDS=({line})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_fareline_completion fareline
printf "%s\\n" "${{COMPREPLY[@]}}"
""",
    "fish": """
_FARELINE_COMPLETE=source_fish fareline | source
complete -C "{line}" | cut -f 1
""",
    # zsh completes at a terminal alone: one is opened in it, and what it finds goes to a file.
    "zsh": """
cat > $ZDOTDIR/.zshrc <<'END'
autoload -U compinit; compinit -u -D
eval "$(_FARELINE_COMPLETE=source_zsh fareline)"
compadd() {{ builtin compadd -O found "$@"; print -l -- $found > $ZDOTDIR/found.new
             mv $ZDOTDIR/found.new $ZDOTDIR/found }}
END
zmodload zsh/zpty
zpty terminal 'zsh -i'
zpty -w -n terminal $'{line}\\t'
for _ in {{1..300}}; do [[ -e $ZDOTDIR/found ]] && break; sleep 0.1; done
cat $ZDOTDIR/found
""",
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`fareline` on PATH, as in an environment that is active."""
    path = tmp_path / "fareline"
    path.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from cli.app import main; main()' \"$@\"\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("fish", marks=pytest.mark.needs("fish")),
        pytest.param("zsh", marks=pytest.mark.needs("zsh")),
    ],
)
@pytest.mark.parametrize(("line", "expected"), COMPLETED)
def test_a_shell_completes(program, logs, tmp_path, shell, line, expected):
    done = subprocess.run(
        [find_program(shell), "-c", ASKED[shell].format(line=line)],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == expected


def test_status_says_what_is_live_what_ran_and_what_drifted(type_line, tmp_path):
    (tmp_path / "workspace").mkdir()
    writer = StoreWriter(tmp_path / "workspace" / "metadata.db")
    writer.add_run("taxi", "run-1", 1_767_268_800_000, {"ExampleGen": (COMPLETE, 3)})
    code, said, err = type_line("status")
    assert (code, err) == (0, "")
    assert [line.split() for line in said.splitlines()] == [
        ["live", "none"],
        ["last", "run", "run-1", "complete", "after", "3.0", "s"],
        ["running", "nothing"],
        ["alarm", "none"],
    ]
