"""The licences of what is installed allow our use, and ours is stated in one way everywhere."""

import importlib.metadata
import re

import pytest
import yaml

import fareline
from fareline.packages import CHECKOUT


@pytest.fixture(scope="module")
def licences():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHECKOUT / "requirements"))
        import licences

        return licences


def test_no_installed_package_forbids_our_use(licences):
    installed = licences.list_licences()
    assert list(licences.objections(installed)) == []
    assert {"tfx", "tensorflow", "ml-metadata"} <= {package.name.lower() for package in installed}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("Apache-2.0", True),
        ("BSD License OR Apache Software License", True),
        ("MPL-2.0 AND MIT", True),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-2.0-or-later", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("GNU Affero General Public License v3", False),
        ("SSPL-1.0", False),
        ("BUSL-1.1", False),
        ("CC-BY-NC-4.0", False),
        ("Other/Proprietary License", False),
        ("Custom", False),
        (None, False),
    ],
)
def test_a_licence_is_judged_by_what_it_asks(licences, licence, allowed):
    package = licences.Licence("package", "1.0", licence)
    assert list(licences.objections([package])) == (
        [] if allowed else [f"package 1.0: {licence or 'no licence'}"]
    )


def test_no_package_is_read_by_hand_that_names_its_licence(licences):
    for name in licences.READ_BY_HAND:
        metadata = importlib.metadata.metadata(name)
        assert not metadata.get("License-Expression"), name
        assert not metadata.get("License"), name


def test_our_licence_is_named_in_the_notice_and_in_the_citation():
    notice = (CHECKOUT / "LICENSE").read_text(encoding="utf-8")
    assert notice.startswith("SPDX-License-Identifier: Apache-2.0\n")
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == "Apache-2.0"


def test_the_version_of_the_package_is_that_of_changelog_and_citation():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", changelog, re.MULTILINE)
    assert newest.groups() == (fareline.__version__, str(citation["date-released"]))
    assert citation["version"] == fareline.__version__


@pytest.mark.parametrize(
    "path", sorted((CHECKOUT / ".github").rglob("*.yml")), ids=lambda p: p.name
)
def test_the_files_for_a_public_host_are_whole(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in content.get("jobs", {}).values():
        for step in job["steps"]:
            for program, argument in re.findall(r"(make|\.ci/)[ ]?([\w-]+)", step.get("run", "")):
                if program == "make":
                    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
                    assert f"\n{argument}:" in makefile
                else:
                    assert (CHECKOUT / ".ci" / argument).is_file()
