"""Pairs a stack with a Python of this machine, and says in words why nothing fits.

Called by `install.py`. Standard library only, nothing newer than Python 3.8.
"""

import os
import shutil
from typing import Dict, List, Optional, Tuple

from interpreters import Interpreter, ask_uv, list_candidates, pyenv_roots, try_interpreter
from stacks import (
    Choice,
    Machine,
    describe_machine,
    describe_versions,
    detect_machine,
    list_choices,
)
from uv_tool import SetupError, get_uv, say


def choose(
    choices: List[Choice], interpreters: List[Interpreter]
) -> Optional[Tuple[Choice, Interpreter]]:
    """Pairs the best choice that has a fitting interpreter with the first such interpreter."""
    for choice in choices:
        for interpreter in interpreters:
            if not interpreter.misfit(choice):
                return choice, interpreter
    return None


def explain_no_stack(machine: Machine, passed_over: List[str]) -> str:
    """Words the error for a machine that no stack fits."""
    return (
        "set-up: this machine is %s; %s. Hint: use Linux x86_64 with glibc, in a container or a "
        "virtual machine if need be, or see the Dockerfile."
        % (
            describe_machine(machine),
            "; ".join(passed_over) or "no stack fits it",
        )
    )


def explain_no_python(
    choices: List[Choice], tried: List[Interpreter], environment: Dict[str, str]
) -> str:
    """Words the error for a machine that a stack would fit and no interpreter does."""
    wanted = describe_versions(dict.fromkeys(choice.version for choice in choices))
    lines = [
        "set-up: found no Python that serves; the stack that fits this machine needs Python %s. "
        "Hint: install one (`pyenv install %d.%d`, `uv python install %d.%d`, or your system's "
        "package), or name it: FARELINE_PYTHON=/path/to/python make setup."
        % ((wanted,) + choices[0].version * 2),
        "looked on PATH, under %s, and asked uv. What was there:"
        % " and ".join(os.path.join(root, "versions") for root in pyenv_roots(environment)),
    ]
    for found in tried:
        # Against the last choice, which is the one that the oldest machines get.
        lines.append("  %s %s" % (found.asked, found.misfit(choices[-1])))
    return "\n".join(lines if tried else lines + ["  nothing"])


def explain_bad_python(choices: List[Choice], tried: Interpreter) -> str:
    """Words the error for an interpreter that the user named and that does not serve."""
    return (
        "set-up: %s, which was asked for, %s; the stack that fits this machine needs Python %s. "
        "Hint: name another, or leave FARELINE_PYTHON and --python out to have one looked for."
        % (
            tried.asked,
            tried.misfit(choices[-1]),
            describe_versions(dict.fromkeys(choice.version for choice in choices)),
        )
    )


def check_compiler(choice: Choice, environment: Dict[str, str]) -> None:
    """Refuses before anything is built if a package must be compiled and cannot be.

    Raises:
        SetupError: There is no C++ compiler on PATH.
    """
    path = environment.get("PATH")
    if not choice.compiles or any(
        shutil.which(name, path=path) for name in ("g++", "c++", "clang++")
    ):
        return
    raise SetupError(
        "set-up: there is no C++ compiler on PATH; the %s stack on Python %d.%d needs one, since "
        "%s has no wheel. Hint: install one (Debian, Ubuntu: apt install g++), and run `make "
        "setup` again." % ((choice.stack.name,) + choice.version + (" and ".join(choice.compiles),))
    )


def find_stack_and_python(
    checkout: str, stack: Optional[str], python: Optional[str], environment: Dict[str, str]
) -> Tuple[Choice, Interpreter]:
    """Looks over the machine and decides.

    Args:
        checkout: The root of the project.
        stack: The stack that was asked for, or None for the best that fits.
        python: The interpreter that was asked for, or None to look for one.
        environment: The variables to search and to run programs with.

    Raises:
        SetupError: Nothing fits.
    """
    machine = detect_machine()
    lock_names = os.listdir(os.path.join(checkout, "requirements"))
    choices, passed_over = list_choices(machine, lock_names, stack)
    if not choices:
        raise SetupError(explain_no_stack(machine, passed_over))
    for line in passed_over:
        say(line + ", so it is passed over")
    versions = list(dict.fromkeys(choice.version for choice in choices))
    asked = [python] if python else list_candidates(versions, environment)
    tried = _try_all(asked, machine, environment)
    found = choose(choices, tried)
    if found is None and python:
        raise SetupError(explain_bad_python(choices, tried[0]))
    if found is None:
        found = _find_through_uv(checkout, choices, tried, environment)
    if found is None:
        raise SetupError(explain_no_python(choices, tried, environment))
    return found


def _try_all(asked: List[str], machine: Machine, env: Dict[str, str]) -> List[Interpreter]:
    """Tries each real file once, except that every shim is a file of its own."""
    tried = {}
    for path in asked:
        key = os.path.realpath(path)
        if key not in tried:
            tried[key] = try_interpreter(path, machine.processor, env)
    return list(tried.values())


def _find_through_uv(
    checkout: str, choices: List[Choice], tried: List[Interpreter], env: Dict[str, str]
) -> Optional[Tuple[Choice, Interpreter]]:
    say("no fitting Python on PATH or under pyenv; asking uv for one")
    uv = get_uv(checkout, env, [found.path for found in tried if found.version])
    machine = detect_machine()
    for download in (False, True):
        for choice in choices:
            path = ask_uv(uv, choice.version, env, download)
            if path:
                tried.append(try_interpreter(path, machine.processor, env))
                found = choose([choice], tried[-1:])
                if found:
                    return found
    return None
