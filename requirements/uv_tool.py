"""Gets uv, the installer: the one on PATH, else a pinned one of this checkout's own.

Called by `install.py` and `lock.py`. Standard library only, nothing newer than Python 3.8.
"""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from typing import Dict, Iterable, Optional

OLDEST_UV = (0, 8)  # has every option that install.py and lock.py use

# A user's pip settings decide where packages come from (a mirror, a proxy, a certificate), and not
# whether this works: these would send uv elsewhere or refuse it. Variables beat pip's files.
_PIP_SETTINGS = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PIP_CONSTRAINT": ""}


class SetupError(Exception):
    """The set-up cannot go on, and the message says what to do."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say(text: str) -> None:
    """Prints a progress line, on stderr so that it never gets between a command and its answer."""
    print("set-up: " + text, file=sys.stderr, flush=True)


def child_environment(environment: Dict[str, str], checkout: str) -> Dict[str, str]:
    """Copies the variables without those that would change what gets installed.

    PYTHONDONTWRITEBYTECODE and PYTHONPYCACHEPREFIX would lose the compiled bytecode, and with it
    twenty seconds in every process that imports TFX; the others point at foreign packages.
    """
    unwanted = {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX",
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONOPTIMIZE",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "__PYVENV_LAUNCHER__",
    }
    child = {name: value for name, value in environment.items() if name not in unwanted}
    child.setdefault("UV_PYTHON_INSTALL_DIR", os.path.join(checkout, ".uv", "python"))
    child.setdefault("UV_COMPILE_BYTECODE_TIMEOUT", "600")
    if ssl.get_default_verify_paths().cafile:
        # A company's proxy signs with a certificate that the system knows and uv does not bring.
        child.setdefault("UV_SYSTEM_CERTS", "1")
        child.setdefault("UV_NATIVE_TLS", "1")  # its name before uv 0.11
    return child


def get_uv(checkout: str, environment: Dict[str, str], other_pythons: Iterable[str] = ()) -> str:
    """Returns the path of a uv that works, installing the pinned one if there is none.

    Args:
        checkout: The root of the project; the pinned uv goes under its `.uv/`.
        environment: The variables to run programs with.
        other_pythons: Interpreters that may make the private environment if the one that runs this
            cannot: Debian's has no `ensurepip` until python3-venv is installed.

    Raises:
        SetupError: There is none and none can be installed.
    """
    on_path = shutil.which("uv", path=environment.get("PATH"))
    if on_path and (_uv_version(on_path, environment) or (0, 0)) >= OLDEST_UV:
        return on_path
    pins = os.path.join(checkout, "requirements", "uv.txt")
    with open(pins, "rb") as file:
        # Named after its pins: another version goes beside it, and only a whole one has the name.
        home = os.path.join(checkout, ".uv", "uv-" + hashlib.sha256(file.read()).hexdigest()[:12])
    uv = os.path.join(home, "bin", "uv")
    if not os.path.exists(uv):
        _install_uv(pins, home, _python_with_venv(other_pythons, environment), environment)
    return uv


def _uv_version(uv: str, environment: Dict[str, str]) -> Optional[tuple]:
    try:
        answer = subprocess.run(
            [uv, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
    except OSError:
        return None
    numbers = re.search(rb"uv (\d+)\.(\d+)", answer.stdout)
    return (int(numbers.group(1)), int(numbers.group(2))) if numbers else None


def _python_with_venv(others: Iterable[str], environment: Dict[str, str]) -> str:
    for python in [sys.executable] + list(others):
        test = subprocess.run(
            [python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL, env=environment
        )
        if test.returncode == 0:
            return python
    raise SetupError(
        "set-up: %s cannot make a virtual environment (no ensurepip), and there is no uv on PATH; "
        "one of the two is needed. Hint: install the package python3-venv (Debian, Ubuntu: "
        "apt install python3-venv), or uv, and run `make setup` again." % sys.executable
    )


def _install_uv(pins: str, home: str, python: str, environment: Dict[str, str]) -> None:
    making = "%s.%d" % (home, os.getpid())
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(os.path.dirname(home), exist_ok=True)
    pip = [os.path.join(making, "bin", "python"), "-m", "pip", "--disable-pip-version-check"]
    install = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    try:
        for command in ([python, "-m", "venv", making], pip + install + ["-r", pins]):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                universal_newlines=True,
                env=dict(environment, **_PIP_SETTINGS),
            )
            if done.returncode != 0:
                raise SetupError(
                    "set-up: uv could not be installed:\n%s\nHint: check the network, or install "
                    "uv yourself, and run `make setup` again." % done.stdout.strip()[-1500:],
                    exit_code=1,
                )
        # The program is one native file, so the environment around it may be renamed.
        if not os.path.exists(home):
            os.rename(making, home)
    finally:
        shutil.rmtree(making, ignore_errors=True)
