#!/usr/bin/env python3
"""Builds the Dockerfile without Docker or a registry, and runs the compiled pipeline in the image.

    make test-image            build, look at the image, compile and execute the pipeline in it
    .ci/image.py COMMAND …     build, and run this one command in the image as its user

Buildah, Debian's package of it, performs the Dockerfile as it stands. No registry can be reached
here, so its two images from outside have stand-ins, given as the arguments that it declares: a
debootstrap of the same Debian for the base, and for Beam's SDK image a boot that only says that it
is none. Every proof ends with the list of what it did not prove for that reason.

Layers, and the packages that apt and uv downloaded, stay in the cache folder of debian13.py. Needs
root. Standard library only; Python 3.8 or newer runs it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
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
    install,
    root_name,
    run,
)
from two_stacks import SMALL

CHECKOUT = Path(__file__).resolve().parents[1]
IMAGE = "localhost/fareline:check"
BOOT_STAND_IN = "localhost/beam-boot-stand-in"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Where a mirror is set for the machine, it is set for the build: these the Dockerfile declares.
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")
# A /proc of the namespace, since buildah looks itself up there.
IN_NAMESPACE = [*NAMESPACE, "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh"]
NOT_PROVED = (
    "the base image of the registry, by its digest: a debootstrap of the same Debian stood in",
    "Beam's boot, and with it a Dataflow worker: a stand-in lies at /opt/apache/beam/boot",
    "pushing and pulling, IAM, Kubeflow's launcher, Vertex AI, Dataflow",
)
# The bucket that taxi.yaml has as an example is a folder here, the settings are those of a pipeline
# of seconds. Kubeflow comes second: what Vertex's spec has pushed is then the live model.
PUT_DATA = """
set -e
mkdir -p bucket/chicago-taxi/data
cp "$(python -c 'from data.taxi import taxi_csv_path as p; print(p())')" bucket/chicago-taxi/data/
"""
# Digest of all sources of some packages, run by this machine's Python and by the image's.
DIGEST = """
import hashlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
found = hashlib.sha256()
for path in sorted(p for package in sys.argv[2:] for p in (folder / package).rglob("*.py")):
    found.update(path.relative_to(folder).as_posix().encode() + b"\\0" + path.read_bytes())
print(found.hexdigest())
"""
INSTALLED = "/opt/fareline/lib/python3.13/site-packages"
SETTINGS = tuple(word for setting in SMALL for word in ("--set", setting))
IN_BUCKET = ("--map", "gs://example-bucket=bucket")
PROOF = (
    ("python", "-m", "runners.submit.smoke"),
    ("sh", "-c", PUT_DATA),
    ("fareline", "compile", "vertex", "-o", "vertex.json", *SETTINGS),
    ("fareline", "run", "--spec", "vertex.json", *IN_BUCKET, "--workspace", "vertex"),
    ("fareline", "compile", "kubeflow", "-o", "kubeflow.yaml", *SETTINGS),
    ("fareline", "run", "--spec", "kubeflow.yaml", *IN_BUCKET, "--workspace", "kubeflow"),
)
STAND_IN = """#!/bin/sh
echo "boot: a stand-in, put here by .ci/image.py; Beam's own comes with Beam's SDK image" >&2
exit 70
"""
IMPORT = """
set -e
folder=$1 image=$2; shift 2
container=$("$@" from scratch)
cp -a "$folder"/. "$("$@" mount "$container")"
"$@" umount "$container"
"$@" commit --quiet --rm "$container" "$image"
"""


def say(text: str) -> None:
    """Prints a progress line, on stderr like those of the set-up."""
    sys.stderr.write(f"image: {text}\n")
    sys.stderr.flush()


class Buildah:
    """Buildah with a storage of its own, which no other program on the machine sees.

    Args:
        storage: Folder of the layers.
    """

    def __init__(self, storage: Path):
        self._command = ["buildah", "--root", str(storage), "--runroot", str(storage / "run")]
        self._command += ["--storage-driver", "overlay"]

    def call(self, *arguments: str, **options: object) -> int:
        """Runs a command of buildah in a namespace of its own, and returns the exit code."""
        return run([*IN_NAMESPACE, *self._command, *arguments], **options)

    def ask(self, *arguments: str) -> str:
        """Runs a command and returns what it printed.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        done = subprocess.run(
            [*IN_NAMESPACE, *self._command, *arguments],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether there is such an image."""
        command = [*IN_NAMESPACE, *self._command, "inspect", "--type", "image", image]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return run(command, **quiet) == 0

    def import_folder(self, folder: Path, image: str) -> None:
        """Makes an image of a folder, with owners and modes as they are.

        Raises:
            CannotRun: It could not be made.
        """
        command = [*IN_NAMESPACE, "sh", "-c", IMPORT, "sh", str(folder), image, *self._command]
        code = run(command, stdout=subprocess.DEVNULL)
        if code != 0:
            raise CannotRun(f"{folder} could not be made an image; buildah ended with {code}")


def get_buildah() -> None:
    """Installs buildah where it is missing and apt is there.

    Raises:
        CannotRun: It cannot be had.
    """
    if not shutil.which("buildah"):
        install(("buildah",))
    if not shutil.which("buildah"):
        raise CannotRun(f"there is no buildah. Hint: install buildah, or set {SKIP}=1.")


def choose_storage(cache: Path) -> Path:
    """Names the folder of the layers after all that decides what is in the large ones.

    Deletes those of earlier pins: buildah's own way to find what is no longer used takes minutes.
    """
    recipe = hashlib.sha256(root_name((), "base").encode())
    for name in ("Dockerfile", "requirements/uv.txt", "requirements/current-py313.txt"):
        recipe.update((CHECKOUT / name).read_bytes())
    storage = cache / f"images-{recipe.hexdigest()[:12]}"
    for outdated in cache.glob("images*"):
        if outdated.is_dir() and outdated != storage:
            shutil.rmtree(outdated, ignore_errors=True)
    return storage


def make_stand_ins(buildah: Buildah, cache: Path) -> str:
    """Makes the two images that would come from a registry, and returns the name of the base."""
    base = "localhost/" + root_name((), "base")
    if not buildah.has(base):
        buildah.import_folder(ensure_root(cache, (), "base"), base)
    if not buildah.has(BOOT_STAND_IN):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            boot = Path(folder) / "opt/apache/beam/boot"
            boot.parent.mkdir(parents=True)
            boot.write_text(STAND_IN)
            for path in (Path(folder), *boot.parents[:3], boot):
                path.chmod(0o755)
            buildah.import_folder(Path(folder), BOOT_STAND_IN)
    return base


def build(buildah: Buildah, cache: Path) -> None:
    """Performs the Dockerfile.

    Raises:
        CannotRun: A step of it failed; buildah has said which.
    """
    base = make_stand_ins(buildah, cache)
    start = time.monotonic()
    command = ["build", "--isolation", "chroot", "--layers", "--pull-never", "--tag", IMAGE]
    command += ["--build-arg", f"BASE={base}", "--build-arg", f"BEAM_SDK={BOOT_STAND_IN}"]
    for name in INDEXES:
        command += ["--build-arg", name] if os.environ.get(name) else []
    for name, inside in (("apt", "/var/cache/apt/archives"), ("uv", "/root/.cache/uv")):
        (cache / name).mkdir(exist_ok=True)
        command += ["--volume", f"{cache / name}:{inside}"]
    if os.path.exists(CERTIFICATES):
        # A company's proxy signs with a certificate that this machine knows and a new Debian does
        # not: the package ca-certificates takes up what lies in this folder.
        trusted = "/usr/local/share/ca-certificates/this-machine.crt"
        command += ["--volume", f"{CERTIFICATES}:{trusted}:ro"]
    if buildah.call(*command, str(CHECKOUT), stdout=sys.stderr) != 0:
        raise CannotRun("the Dockerfile could not be built; see above")
    say(f"built in {time.monotonic() - start:.0f} s")


def inspect(buildah: Buildah) -> None:
    """Looks at what the image says of itself.

    Raises:
        CannotRun: It would run as root, or not start Beam's boot.
    """
    config = json.loads(buildah.ask("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    user, entrypoint = config.get("User", ""), config.get("Entrypoint")
    if user.partition(":")[0] in ("", "0", "root"):
        raise CannotRun(f"the image runs as {user or 'root'}; a user who is not root was expected")
    if entrypoint != ["/opt/apache/beam/boot"]:
        raise CannotRun(f"the image starts {entrypoint}; Beam's boot was expected")
    say(f"the image runs as {user}, and by itself starts {entrypoint[0]}")


@contextlib.contextmanager
def container_of(buildah: Buildah) -> Iterator[str]:
    """Gives a container of the image, and removes it."""
    container = buildah.ask("from", "--pull-never", IMAGE)
    try:
        yield container
    finally:
        buildah.call("rm", container, stdout=subprocess.DEVNULL)


def check_code(buildah: Buildah, container: str) -> None:
    """Compares the project's code in the image with the checkout: layers may come from a cache.

    Raises:
        CannotRun: They differ.
    """
    rooms = sorted(path.parent.name for path in CHECKOUT.glob("*/__init__.py"))
    rooms = [name for name in rooms if name not in ("tests", "benchmarks")]
    here = subprocess.run(
        [sys.executable, "-c", DIGEST, str(CHECKOUT), *rooms],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.strip()  # fmt: skip
    command = ["python", "-c", DIGEST, INSTALLED, *rooms]
    there = buildah.ask("run", "--isolation", "chroot", container, "--", *command)
    if here != there:
        raise CannotRun(
            f"the code in the image has digest {there[:12]}, that of the checkout {here[:12]}; the "
            "same was expected. Hint: delete the folder images-… in the cache, and start again."
        )
    say(f"the code in the image is that of the checkout, digest {here[:12]}")


def run_inside(buildah: Buildah, container: str, commands: Sequence[Sequence[str]]) -> int:
    """Runs commands in a container, as the image's user, up to the first that fails.

    Returns:
        The exit code of the last one that ran.
    """
    for command in commands:
        start = time.monotonic()
        say(shlex.join(command))
        code = buildah.call("run", "--isolation", "chroot", container, "--", *command)
        say(f"code {code} after {time.monotonic() - start:.0f} s")
        if code != 0:
            break
    return code


def prove(command: Sequence[str]) -> int:
    """Builds, looks, and runs a command, or what proves that the pipeline runs in there."""
    check_machine()
    get_buildah()
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        buildah = Buildah(choose_storage(cache))
        buildah.call("rm", "--all", stdout=subprocess.DEVNULL)  # what a killed start left
        build(buildah, cache)
        inspect(buildah)
        with container_of(buildah) as container:
            check_code(buildah, container)
            code = run_inside(buildah, container, [command] if command else PROOF)
    for what in NOT_PROVED:
        say(f"NOT PROVED: {what}")
    return code


def stop(number: int, frame: object) -> None:
    """Turns a signal into an exit, so that everything is ended and deleted on the way."""
    raise SystemExit(128 + number)


def main(command: Sequence[str]) -> int:
    """Runs the proof, and returns the exit code."""
    if os.environ.get(SKIP) == "1":
        say(f"SKIPPED, since {SKIP}=1: nothing is proved about the image")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return prove(command)
    except CannotRun as error:
        say(str(error))
        return 2
    except subprocess.CalledProcessError as error:
        say(f"buildah failed with code {error.returncode}; see above")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
