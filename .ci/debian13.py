#!/usr/bin/env python3
"""Runs commands in a newcomer's clone of this checkout, on a clean Debian 13 in a chroot.

    make test-newcomer                        `make run`, then `make test`: the README's commands,
                                              with what it asks for and nothing else
    make test-current ARGS="tests/unit -x"    the same, but the Debian packages that tests need are
                                              installed between them, and no test is left out
    .ci/debian13.py --dirty make lint         any one command, uncommitted changes included

The current stack needs glibc 2.39. This proves it where glibc is older, and anywhere proves that a
fresh clone needs nothing but the packages named below. Every start works in a copy of the clean
root (clean_debian.py) and deletes the copy. All mounts are made in a mount namespace, which ends
with its last process: nothing stays mounted, however this ends. Needs root. Standard library only;
Python 3.8 or newer runs it.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clean_debian import (
    NAMESPACE,
    SKIP,
    CannotRun,
    cache_folder,
    check_machine,
    ensure_root,
    root_name,
    run,
    say,
)

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("git", "make", "python3", "python3-venv")  # what the README asks of a newcomer
INSTALL_PACKAGES = ".ci/install-packages"  # what the tests need beside; not there for `make run`

# Inside the chroot.
HOME = "/home/newcomer"
CLONE = HOME + "/fareline"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Runs as the first process of the namespace, and stays: it is the one that the orphans go to.
# A /dev of its own, since a bind mount of the host's would put the host's disks in reach.
MOUNT_AND_RUN = """
set -e
root=$1 cache=$2 clone=$3 share=$4; shift 4
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount --bind "$cache/uv" "$root$HOME/.cache/uv"
mount --bind "$cache/apt" "$root/var/cache/apt/archives"
[ -z "$share" ] || { mkdir -p "$root$share"; mount --bind "$share" "$root$share"; }
code=0
chroot "$root" env --chdir="$clone" "$@" || code=$?
exit $code
"""

# How this machine reaches the package index: the same inside. Nothing else of the environment.
NETWORK = re.compile(
    r"(PIP|UV)_(INDEX|EXTRA_INDEX|DEFAULT_INDEX|TRUSTED_HOST|INSECURE_HOST|CERT|CLIENT_CERT|PROXY"
    r"|DEFAULT_TIMEOUT|HTTP_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|CONFIG_FILE)\w*"
    r"|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|(https?|all|no)_proxy",
    re.IGNORECASE,
)


@contextlib.contextmanager
def copy_of_root(cache: Path, fresh: bool, keep: bool) -> Iterator[Path]:
    """Gives a copy of the clean root to work in, and deletes it.

    Args:
        cache: The cache folder.
        fresh: Whether to build the root anew.
        keep: Whether to leave the copy there, until the next start.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        delete_leftovers(cache)
        if fresh:
            shutil.rmtree(cache / root_name(PACKAGES), ignore_errors=True)
        root = ensure_root(cache, PACKAGES)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=cache))
        in_use = open(folder / "lock", "w")  # noqa: SIM115 - as long as a child has it too
        fcntl.flock(in_use, fcntl.LOCK_EX)
        os.set_inheritable(in_use.fileno(), True)
    copy = folder / "root"
    try:
        if run(["cp", "-a", "--reflink=auto", str(root), str(copy)]) != 0:
            raise CannotRun(f"{root} could not be copied to {copy}. Hint: look at the free space.")
        yield copy
    finally:
        if keep:
            say(f"kept until the next start: {copy}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        in_use.close()


def delete_leftovers(cache: Path) -> None:
    """Deletes the copies that killed starts left: those whose lock no living process holds."""
    for folder in cache.glob("run-*"):
        with contextlib.suppress(OSError), open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def make_clone(root: Path, dirty: bool) -> None:
    """Clones the checkout into the root, as someone would who has only the repository.

    Args:
        root: The copy of the clean root.
        dirty: Whether to bring what is not committed too; what git ignores stays out.
    """
    clone = Path(f"{root}{CLONE}")
    # The checkout may belong to the user who called sudo, which git takes for an attack.
    settings = root.parent / "gitconfig"
    settings.write_text("[safe]\n\tdirectory = *\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_CONFIG_GLOBAL"] = str(settings)

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, check=True, env=environment, stdout=subprocess.PIPE, text=True
        ).stdout

    git("clone", "--quiet", "--no-local", str(CHECKOUT), str(clone))
    say("cloned " + git("-C", str(clone), "log", "-1", "--format=%h %s").strip())
    if not dirty:
        return
    listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, git("-C", str(CHECKOUT), *listing).split("\0")):
        source, target = CHECKOUT / name, clone / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        elif not source.exists():
            target.unlink(missing_ok=True)
    say("with what is not committed:\n" + git("-C", str(clone), "status", "--short").rstrip())


def inside_environment() -> dict[str, str]:
    """Collects the variables for inside: a bare login's, and how to reach the package index."""
    passed = {k: v for k, v in os.environ.items() if NETWORK.fullmatch(k)}
    passed["TERM"] = os.environ.get("TERM", "dumb")
    return {**passed, "HOME": HOME, "PATH": PATH, "LANG": "C.UTF-8", "USER": "root"}


def copy_settings(root: Path) -> None:
    """Copies what reaching the network takes on this machine: names, certificates, indexes."""
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = {Path(path): path for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf")}
    files[Path("/etc/uv/uv.toml")] = "/etc/uv/uv.toml"
    for name in ("pip/pip.conf", "uv/uv.toml"):
        files[config / name] = f"{HOME}/.config/{name}"
    files[home / ".pip/pip.conf"] = f"{HOME}/.pip/pip.conf"
    for source in [*files, Path(os.environ.get("PIP_CONFIG_FILE", ""))]:
        files.update((Path(path), path) for path in certificates_named_in(source))
    for value in inside_environment().values():
        if os.path.isabs(value) and os.path.isfile(value):
            files[Path(value)] = value
    if os.path.isdir("/etc/ssl/certs"):
        shutil.rmtree(root / "etc/ssl/certs", ignore_errors=True)
        shutil.copytree("/etc/ssl/certs", root / "etc/ssl/certs", ignore_dangling_symlinks=True)
    for source, inside in files.items():
        if source.is_file():
            place(source, root, inside)


def place(source: Path, root: Path, inside: str) -> None:
    """Copies a file to a path inside, never through a link: an absolute one leads out of the root.

    Raises:
        CannotRun: A folder on the way is such a link.
    """
    target = Path(f"{root}{inside}")
    if root.resolve() not in target.parent.resolve().parents:
        raise CannotRun(
            f"{inside} is in a folder reached through a link; a real folder was expected. Hint: "
            f"name {source} by its real path."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)


def certificates_named_in(settings: Path) -> list[str]:
    """Lists the certificate files that a pip.conf names."""
    parser = configparser.RawConfigParser()
    if settings.suffix != ".conf" or settings.name == "resolv.conf" or not settings.is_file():
        return []
    parser.read(settings)
    named = [
        parser.get(s, k, fallback="") for s in parser.sections() for k in ("cert", "client-cert")
    ]
    return [path for path in named if os.path.isabs(path)]


def run_inside(root: Path, cache: Path, command: Sequence[str], share: str) -> int:
    """Runs one command in the clone, in the chroot, and returns its exit code."""
    say(" ".join(command))
    start = time.monotonic()
    inside = [*NAMESPACE, "sh", "-c", MOUNT_AND_RUN, "sh", str(root), str(cache), CLONE]
    inside.append(share)
    # The copy's lock goes along: as long as something runs in there, nobody deletes it.
    code = run([*inside, *command], env=inside_environment(), close_fds=False)
    say(f"{' '.join(command)}: code {code} after {time.monotonic() - start:.0f} s")
    return code


def prove(chosen: argparse.Namespace) -> int:
    """Runs the commands one after the other in one clone, up to the first that fails."""
    check_machine()
    cache = cache_folder()
    # A cache of its own: in the user's there may be what was compiled here, which nothing in a
    # clean Debian could have compiled.
    with copy_of_root(cache, chosen.fresh, chosen.keep) as root:
        for name in ("uv", "apt"):
            (cache / name).mkdir(exist_ok=True)
        Path(f"{root}{HOME}/.cache/uv").mkdir(parents=True)
        copy_settings(root)
        make_clone(root, chosen.dirty)
        for command in chosen.commands:
            code = run_inside(root, cache, command, chosen.share)
            if code != 0:
                return code
    return 0


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the arguments; without a command, it is what `make test-current` runs."""
    parser = argparse.ArgumentParser(
        prog="debian13",
        description="Runs commands in a clone of this checkout on a clean Debian 13, in a chroot.",
    )
    parser.add_argument("--dirty", action="store_true", help="bring what is not committed too")
    parser.add_argument("--fresh", action="store_true", help="build the clean root anew")
    parser.add_argument("--keep", action="store_true", help="leave the copy until the next start")
    parser.add_argument("--share", default="", help="a folder to have inside too, at its path")
    parser.add_argument("--newcomer", action="store_true", help="make run, make test; no packages")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, help="default: make run, packages, make test-all"
    )
    chosen = parser.parse_args(arguments)
    selected = "ARGS=" + os.environ.get("ARGS", "")
    if chosen.command:
        chosen.commands = [chosen.command]
    elif chosen.newcomer:
        chosen.commands = [["make", "run"], ["make", "test", selected]]
    else:
        chosen.commands = [["make", "run"], [INSTALL_PACKAGES], ["make", "test-all", selected]]
    return chosen


def stop(number: int, frame: object) -> None:
    """Turns a signal into an exit, so that everything is ended and deleted on the way."""
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Reads the arguments, runs the proof, and returns the exit code."""
    chosen = parse_arguments(arguments)
    if os.environ.get(SKIP) == "1":
        say(f"SKIPPED, since {SKIP}=1: nothing is proved about the current stack")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return prove(chosen)
    except CannotRun as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error}. Hint: look at the free space, and start again.")
        return 1
    except subprocess.CalledProcessError as error:
        say(f"{' '.join(error.cmd[:2])} failed with code {error.returncode}; see above")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
