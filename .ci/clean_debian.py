"""A clean Debian 13 as debootstrap makes it, for the proofs that start in one.

Used by debian13.py (a newcomer's clone) and image.py (the Dockerfile). A root is built once, in a
cache folder outside the tree. Needs root. Standard library only; Python 3.8 or newer runs it.
"""
# ruff: noqa: T201

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SKIP = "FARELINE_SKIP_CURRENT"
MIRROR = "FARELINE_DEBIAN_MIRROR"

# The kernel ends the namespace's processes with the first one, and drops the mounts with the last.
# The first one ends with unshare, and unshare with the script, even if that is killed outright.
NAMESPACE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
NAMESPACE += ["--kill-child", "--"]


class CannotRun(Exception):
    """The proof cannot be had here, and the message says why in one line."""


def say(text: str) -> None:
    """Prints a progress line, on stderr like those of the set-up."""
    print("debian13: " + text, file=sys.stderr, flush=True)


def check_machine() -> None:
    """Refuses where a chroot with a Debian for x86_64 cannot be.

    Raises:
        CannotRun: This is another system, or the user is not root.
    """
    hint = f"Hint: {SKIP}=1 leaves this proof out, and says so."
    here = f"{platform.system()} {platform.machine()}"
    if here != "Linux x86_64":
        raise CannotRun(f"this machine is {here}; Linux x86_64 was expected. {hint}")
    if os.geteuid() != 0:
        raise CannotRun(
            f"the user is not root; root was expected, for chroot and mounts. Hint: use sudo, or "
            f"{SKIP}=1 to leave this proof out."
        )
    needed = {"unshare": "util-linux", "setpriv": "util-linux", "chroot": "coreutils", "git": "git"}
    for program, package in needed.items():
        if not shutil.which(program):
            raise CannotRun(f"there is no {program} on PATH. Hint: install {package}.")


def cache_folder() -> Path:
    """Names the folder for the root, the copies in use, and the packages that uv downloaded."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base).absolute() / "fareline" / "debian13"


def root_name(packages: Sequence[str], kind: str = "root") -> str:
    """Names the root after all that decides what is in it: what is there under it is as wanted.

    Args:
        packages: What it has beside the smallest Debian.
        kind: What it is for; there is one of each kind at a time.
    """
    recipe = repr(("layout 1", SUITE, tuple(packages), os.environ.get(MIRROR)))
    return f"{kind}-" + hashlib.sha256(recipe.encode()).hexdigest()[:12]


def run(command: Sequence[str], **options: object) -> int:
    """Runs a program to its end, and ends it, with all that it started, if this one is stopped."""
    process = subprocess.Popen(command, **options)
    try:
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def install(packages: Sequence[str]) -> None:
    """Installs packages on this machine with apt, if it has apt; says nothing if it cannot."""
    if not shutil.which("apt-get"):
        return
    say(f"installing {' '.join(packages)} with apt")
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    run(
        ["sh", "-c", f"{command} || {{ apt-get update && {command}; }}"],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def get_debootstrap() -> None:
    """Installs debootstrap and the archive's keys where they are missing and apt is there.

    Raises:
        CannotRun: They cannot be had.
    """
    packages = ("debootstrap", "debian-archive-keyring")
    if not (shutil.which("debootstrap") and KEYRING.exists()):
        install(packages)
    if not (shutil.which("debootstrap") and KEYRING.exists()):
        raise CannotRun(
            f"there is no debootstrap with {KEYRING}. Hint: install {' '.join(packages)}."
        )


def ensure_root(cache: Path, packages: Sequence[str], kind: str = "root") -> Path:
    """Returns the clean root, building it first if it is not there.

    Args:
        cache: The cache folder.
        packages: What it has beside the smallest Debian.
        kind: What it is for.

    Raises:
        CannotRun: It could not be built.
    """
    root = cache / root_name(packages, kind)
    if root.exists():
        say(f"the clean root is {root}")
        return root
    get_debootstrap()
    start = time.monotonic()
    beside = f" with {', '.join(packages)}" if packages else ""
    say(f"building a clean Debian 13 ({SUITE}){beside} as {root}")
    building = cache / "building"
    shutil.rmtree(building, ignore_errors=True)
    log = cache / "debootstrap.log"
    with open(log, "wb") as output:
        # In a namespace, since debootstrap mounts /proc in there and may be killed.
        command = [*NAMESPACE, "debootstrap", "--variant=minbase", "--force-check-gpg"]
        command += [f"--keyring={KEYRING}"]
        command += [f"--include={','.join(packages)}"] if packages else []
        command += [SUITE, str(building)]
        command += [os.environ[MIRROR]] if os.environ.get(MIRROR) else []
        code = run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if code != 0:
        last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise CannotRun(
            f"debootstrap failed with code {code} ({last}; all of it in {log}). Hint: check the "
            f"network, set {MIRROR} to a Debian mirror, or {SKIP}=1 to leave this proof out."
        )
    for package in (building / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    for outdated in cache.glob(f"{kind}-*"):
        shutil.rmtree(outdated, ignore_errors=True)
    building.rename(root)
    say(f"built in {time.monotonic() - start:.0f} s")
    return root
