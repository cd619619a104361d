"""The project's own packages, as something pip, uv and a Beam worker can install.

The pinned environment is made by `make setup` from requirements/; the ranges here only say which
versions the sources can live with. Imports nothing of ours, so that it builds anywhere.
"""

import gzip
import os
import platform
import re
import runpy
import sys
import tarfile
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
# By its path: what is to be installed cannot be imported. No folder of tests or scratch work ever
# ends up in a wheel, since the list names ours.
LISTED = runpy.run_path(str(HERE / "fareline" / "packages.py"))

# Archives carry this time in place of that of the files, so that the same sources always give the
# same bytes. 1980 is the first year that a zip file can state.
os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800")

# What a step imports wherever it runs. Beam installs an sdist on its workers with its requirements
# and with no way to ask for an extra. In a container that has one of the stacks all of these are
# met and pip changes nothing; on a bare Beam image they are what keeps the step from an
# ImportError. Where even the look is unwanted, `pip install --no-deps` is enough. Nothing for the
# command line belongs here.
STEP_REQUIRES = [
    "tfx>=1.16,<1.22",
    "dill",  # tfx-bsl 1.16 imports it and does not require it
    "tensorboard",  # tf.summary needs it, TFX 1.21 does not require it
    "pydantic>=2.7,<3",
    "pyyaml",
    "filelock",
    "psutil",
    "duckdb>=1.5,<2",
]
EXTRAS = {
    # What the command line adds where a person sits in front of it.
    "local": [
        "typer",
        "rich",
        "aiohttp",
        "pymysql",
        "pg8000",
        "graphviz",
        "netron",
        "jinja2",
        "python-stdnum",
        "river",
        "croniter",
        "tenacity",
        "prometheus-client",
        "openlineage-python>=1.39,<1.53",
    ],
    # The compiler and the client. Not tfx[kfp]: that extra is empty on Python 3.12 and later.
    "kubeflow": ["kfp>=2.5,<2.17"],
    # Of `model.kind: boosted_trees`: without CUDA, which is most of the other distribution's size.
    "trees": [
        "xgboost-cpu>=3.2,<4; sys_platform == 'linux'",
        "xgboost>=3.2,<4; sys_platform != 'linux'",
    ],
}
EXTRAS["all"] = EXTRAS["local"] + EXTRAS["kubeflow"]

# The same table as in requirements/stacks.py, which an sdist does not carry: Python, oldest glibc,
# and whether macOS on arm64 serves too. A test compares the two.
SUPPORTED = [
    ("current: TFX 1.21.0", {(3, 10), (3, 11), (3, 12), (3, 13)}, (2, 39), True),
    ("compat: TFX 1.16.0", {(3, 10)}, (2, 17), False),
]


def read_version():
    """Reads the version from the source, since importing it would need what is to be installed."""
    text = (HERE / "fareline" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE).group(1)


def detect_glibc():
    """Returns glibc's version, or None on macOS and where the C library is another one."""
    try:
        name, _, version = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")
        return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None


def explain_unsupported(python, system, machine, glibc):
    """Says why no stack can be installed here, or returns None if one can.

    Args:
        python: The version as `(3, 10)`.
        system: As `platform.system()` says it.
        machine: As `platform.machine()` says it.
        glibc: The version as `(2, 36)`, or None.
    """
    for _, pythons, oldest_glibc, macos_arm64 in SUPPORTED:
        linux = (system, machine) == ("Linux", "x86_64") and glibc and glibc >= oldest_glibc
        macos = macos_arm64 and (system, machine) == ("Darwin", "arm64")
        if python in pythons and (linux or macos):
            return None
    libc = " with glibc {}.{}".format(*glibc) if glibc else ""
    return (
        "fareline: this is Python {}.{} on {} {}{}; TFX has wheels for Python 3.10 on Linux x86_64 "
        "with glibc 2.17 or newer, and for Python 3.10 to 3.13 with glibc 2.39 or newer or on "
        "macOS arm64. Hint: in a checkout, `make setup` finds the right Python.".format(
            *python, system, machine, libc
        )
    )


def refuse_unsupported():
    """Stops a build that would end in an environment in which nothing can run.

    Making an sdist, or asking for the metadata, is fine anywhere.
    """
    if {"bdist_wheel", "editable_wheel", "dist_info", "install", "develop"}.intersection(sys.argv):
        problem = explain_unsupported(
            sys.version_info[:2], platform.system(), platform.machine(), detect_glibc()
        )
        if problem:
            sys.exit(problem)


class ReproducibleSdist(sdist):
    """An sdist without times, owners and the order of the file system, which setuptools keeps."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **options):
        """Writes the folder as a gzip-compressed tar file; other formats stay with setuptools."""
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, **options)
        moment = int(os.environ["SOURCE_DATE_EPOCH"])

        def without_traces(member):
            member.mtime, member.uid, member.gid = moment, 0, 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = base_name + ".tar.gz"
        with (
            open(name, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=moment) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            for path in [Path(base_dir), *sorted(Path(base_dir).rglob("*"))]:
                archive.add(str(path), recursive=False, filter=without_traces)
        return name


if __name__ == "__main__":
    refuse_unsupported()
    setup(
        name="fareline",
        version=read_version(),
        description="A TFX pipeline with data checks, evaluation, publishing and lineage",
        license="Apache-2.0",
        license_files=["LICENSE"],
        python_requires=">=3.10,<3.14",
        packages=LISTED["find_packages"](),
        # Said although it is the default: it makes an editable install one path on sys.path, so
        # that a new module or package is there at once, and start-up runs no import hook.
        package_dir={"": "."},
        package_data={
            "schema": ["taxi/schema.pbtxt"],
            "pipeline": ["configs/*.yaml", "configs/own_code/*"],
            "report": ["web/*"],
            "report.explorer": ["web/*"],
            "report.run": ["web/*"],
            "report.ui": ["web/*"],
        },
        include_package_data=False,
        install_requires=STEP_REQUIRES,
        extras_require=EXTRAS,
        py_modules=["fareline_script"],
        entry_points={
            "console_scripts": [
                "fareline = fareline_script:main",
                "fareline-beam-worker = fareline_script:work",
            ]
        },
        zip_safe=False,
        cmdclass={"sdist": ReproducibleSdist},
    )
