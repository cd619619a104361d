"""Lists the licences of everything that is installed beside Fareline: what `make licences` prints.

Reads the metadata of the installed packages; tests/unit/project/test_licences.py fails on a licence
that does not allow our use, and the documentation site shows the list.
"""

import importlib.metadata
import re
import sys
from typing import Iterator, List, NamedTuple, Optional

# What we do with a package: import it unchanged, and name it as a requirement of an Apache-2.0
# program. Permissive licences allow that, and so do those with a copyleft that ends at their own
# files (MPL) or at their own library (LGPL). Words are looked for in an SPDX expression or a
# classifier; one word is enough, as several licences of one package are joined by AND or OR.
ALLOWED = (
    "Apache",
    "BSD",
    "MIT",
    "ISC",
    "PSF",
    "Python Software Foundation",
    "CNRI-Python",
    "MPL",
    "Mozilla Public License",
    "LGPL",
    "Lesser General Public License",
    "Zlib",
    "Unlicense",
    "HPND",
    "0BSD",
)
# A copyleft that would reach our code, and terms that restrict who may use it.
FORBIDDEN = re.compile(
    r"(?<!L)GPL|(?<!Lesser )General Public License|AGPL|Affero|SSPL|BUSL|Business Source|Commons"
    r" Clause|Proprietary|Non-?Commercial|CC-BY-NC|EUPL",
    re.IGNORECASE,
)
# Packages whose metadata name none: read by a person, with where it was read.
READ_BY_HAND = {
    "namex": "Apache-2.0",  # the header of its setup.py in keras-team/namex
}


class Licence(NamedTuple):
    """A package and its licence."""

    name: str
    version: str
    licence: Optional[str]  # None where the package names none


def list_licences() -> List[Licence]:
    """Reads the licences of all installed packages but ours, by name."""
    found = {}
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"]
        if name.lower() != "fareline":
            found[name.lower()] = Licence(name, package.version, _licence_of(package.metadata))
    return [found[key] for key in sorted(found)]


def _licence_of(metadata) -> Optional[str]:
    expression = metadata.get("License-Expression")
    classifiers = [
        text.split(" :: ")[-1]
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License :: ") and not text.endswith(("OSI Approved", "DFSG approved"))
    ]
    first_line = (metadata.get("License") or "").strip().split("\n")[0][:80]
    by_hand = READ_BY_HAND.get(metadata["Name"].lower())
    return expression or " OR ".join(classifiers) or first_line or by_hand


def objections(licences: List[Licence]) -> Iterator[str]:
    """Says which licences do not allow our use, or are not known to.

    Args:
        licences: The packages and their licences.
    """
    for package in licences:
        # Of `A OR B` one may be chosen.
        choices = re.split(r"\s+OR\s+", (package.licence or "").strip("()"))
        if not any(_allows(choice) for choice in choices):
            yield "%s %s: %s" % (package.name, package.version, package.licence or "no licence")


def _allows(licence: str) -> bool:
    return not FORBIDDEN.search(licence) and any(word in licence for word in ALLOWED)


def markdown_table(licences: List[Licence]) -> str:
    """Writes the list as a table for the documentation site."""
    rows = ["| %s | %s | %s |" % (p.name, p.version, p.licence or "") for p in licences]
    return "\n".join(["| package | version | licence |", "| --- | --- | --- |", *rows]) + "\n"


def main() -> int:
    """Prints the list and returns 1 if a licence does not allow our use."""
    licences = list_licences()
    for package in licences:
        print("%-40s %-20s %s" % (package.name, package.version, package.licence or "-"))
    wrong = list(objections(licences))
    for line in wrong:
        print("not allowed: " + line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
