"""The record of a run about itself, beside TFX's: code, packages, settings, user, machine.

Called by runners.local.run and runners.steps.begin before TFX is imported; runners.local.launching
has TFX write it into the run's context under the names of `fareline.recorded`. Nothing in here
fails a run: what cannot be known is left out. Of the environment only the login name is read.
"""

import dataclasses
import email
import getpass
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from fareline import recorded
from fareline.packages import CHECKOUT, PACKAGES
from fareline.recorded.texts import text_of
from pipeline.settings.load import PATH_MAPPINGS, PATH_SETTINGS
from pipeline.settings.settings import DEFAULT_PATH, Settings
from pipeline.user_code import fingerprint_packages
from schema.curated import is_packaged_name

STACKS = {"1.16": "compat", "1.21": "current"}  # TFX minor version -> stack
GIT_SECONDS = 10
_VENDORED = os.path.join("setuptools", "_vendor")


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Facts about a run before it starts.

    Attributes:
        properties: By the names of `fareline.recorded`; texts and whole numbers.
        code_version: The commit, or the code's fingerprint where no commit stands for it.
    """

    properties: Mapping[str, str | int]
    code_version: str

    def with_words(self, note: str, tags: Sequence[str]) -> "Provenance":
        """The facts with the user's note and tags."""
        words = {recorded.NOTE: note, recorded.TAGS: text_of(list(tags)) if tags else ""}
        said = {name: _storable(text) for name, text in words.items() if text}
        return dataclasses.replace(self, properties={**self.properties, **said})


@dataclasses.dataclass(frozen=True)
class GitState:
    """The checkout that our sources are in.

    Attributes:
        commit: 40 hexadecimal digits.
        dirty: Whether a tracked file has changed, or a package has an untracked file.
    """

    commit: str
    dirty: bool


def collect_provenance(
    settings: Settings | None,
    overrides: Sequence[str] = (),
    use_cache: bool = True,
    runner: str = "local",
) -> Provenance:
    """Collects what is known of a run before it starts.

    Args:
        settings: Validated, with the overrides applied; None where they are not known.
        overrides: Values of `--set`.
        use_cache: Whether unchanged nodes may be skipped.
        runner: Name of the runner.
    """
    fingerprint = fingerprint_of_code(settings)
    packages = installed_packages()
    properties = {
        recorded.RUNNER: runner,
        recorded.STACK: name_stack(packages),
        recorded.PYTHON: platform.python_version(),
        recorded.PACKAGES: text_of(packages),
        recorded.CODE_FINGERPRINT: fingerprint,
        recorded.USE_CACHE: int(use_cache),
        recorded.USER: login_name(),
        recorded.HOST_KIND: describe_host(),
    }
    if settings is not None:
        properties |= _describe_settings(settings, overrides)
    git = read_git_state(CHECKOUT)
    if git:
        properties[recorded.GIT_COMMIT] = git.commit
        properties[recorded.GIT_DIRTY] = int(git.dirty)
    stands_for_all = git is not None and not git.dirty and not own_packages(settings)
    version = git.commit if stands_for_all else fingerprint
    return Provenance({name: _storable(value) for name, value in properties.items()}, version)


def fingerprint_of_code(settings: Settings | None) -> str:
    """SHA-256 of our sources, and of the packages that the settings name (`code`)."""
    return fingerprint_packages((*PACKAGES, *own_packages(settings)))


def own_packages(settings: Settings | None) -> tuple[str, ...]:
    """The packages of the user that the settings name."""
    return settings.code.packages if settings is not None else ()


def _describe_settings(settings: Settings, overrides: Sequence[str]) -> dict[str, str]:
    text = write_settings(settings)
    packaged = settings.path == DEFAULT_PATH.resolve()
    sample = settings.data.sample
    return {
        recorded.SETTINGS: text,
        recorded.SETTINGS_SHA256: hashlib.sha256(text.encode()).hexdigest(),
        recorded.SETTINGS_FILE: settings.path.name if packaged else str(settings.path),
        recorded.OVERRIDES: text_of(list(overrides)),
    } | ({recorded.SAMPLE: str(sample)} if sample is not None else {})


def write_settings(settings: Settings) -> str:
    """Writes settings as YAML that `--config` reads as the same settings, wherever it is saved.

    Every setting is there, defaults as well, since those may change; local paths are absolute.
    """
    values = settings.model_dump(mode="json", by_alias=True)
    if settings.code.packages:  # beside the file, unless it says where
        values["code"]["folder"] = str(settings.code_folder)
    for name in PATH_SETTINGS:
        *parents, last = name.split(".")
        section = _section(values, parents)
        if section.get(last) is not None:
            section[last] = _absolute(name, section[last], settings)
    for name in PATH_MAPPINGS:
        paths = _section(values, name.split("."))
        paths.update({table: _absolute(name, path, settings) for table, path in paths.items()})
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _section(values: dict, names: Sequence[str]) -> dict:
    for name in names:
        values = values.get(name) or {}
    return values


def _absolute(name: str, value: str, settings: Settings) -> str:
    if "://" in value or (name == "schema" and is_packaged_name(value)):
        return value
    return str(settings.resolve(value))


def installed_packages() -> dict[str, str]:
    """Versions of all distributions in this interpreter's path, by name; the first found counts.

    Not of those inside setuptools, which puts them into the path once something imports it.
    """
    packages: dict[str, str] = {}
    path = [entry for entry in sys.path if not entry.endswith(_VENDORED)]
    for distribution in importlib.metadata.distributions(path=path):
        said = _headers_of(distribution)
        if said["Name"]:  # the remains of an uninstalled one have none
            packages.setdefault(said["Name"].lower(), said["Version"])
    return dict(sorted(packages.items()))


def _headers_of(distribution: importlib.metadata.Distribution) -> Mapping[str, str]:
    """As `distribution.metadata`, which parses the description too, and that anew each time."""
    text = distribution.read_text("METADATA")
    if text is None:  # of an older form
        return distribution.metadata
    return email.message_from_string(text.partition("\n\n")[0])


def name_stack(packages: Mapping[str, str]) -> str:
    """The stack's name, or the versions of TFX and TensorFlow for an unknown stack."""
    tfx = packages.get("tfx", "none")
    versions = f"TFX {tfx}, TensorFlow {packages.get('tensorflow', 'none')}"
    return STACKS.get(".".join(tfx.split(".")[:2]), versions)


def login_name() -> str:
    """The login name; the number of the user where there is no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # which of them hangs on the version of Python
        return f"uid {os.getuid()}"


def describe_host() -> str:
    """The kind of this machine, such as `Linux x86_64, 2 cores`; never its name."""
    cores = os.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {cores} core{'s' if cores > 1 else ''}"


def read_git_state(checkout: Path) -> GitState | None:
    """Asks git which commit the sources are of.

    Args:
        checkout: Folder that holds our packages.

    Returns:
        None where git does not know them: no git, no checkout, no commit yet, or sources that were
        installed somewhere below a checkout of something else.
    """
    # The answer is about these files, whatever repository a hook's environment points to.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # nothing is written, not even git's index

    def git(*arguments: str) -> str:
        # Another owner's checkout, as in a container, is fine: its code is what we run.
        command = ["git", "-c", "safe.directory=*", "-C", str(checkout), *arguments]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
            check=True,
        )
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", f"{__package__}/{Path(__file__).name}")
        commit = git("rev-parse", "--verify", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
        added = git("ls-files", "--others", "--exclude-standard", "--", *PACKAGES)
    except (OSError, subprocess.SubprocessError):
        return None
    return GitState(commit, bool(changed or added))


def _storable(value: str | int) -> str | int:
    """Text that a protocol buffer takes: paths may hold bytes that are no UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
