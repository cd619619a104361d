"""Finds the script that lays graphs out: dagre, as the package netron ships it.

The repository holds no third-party code: the script is inlined when a page is written. It is an ES
module that imports nothing and exports `layout`.
"""

import dataclasses
from importlib import metadata

from fareline.errors import UserMistake

PACKAGE = "netron"
_SCRIPT = "netron/dagre.js"
_EXPORT = "export const { layout, Graph } = dagre;"
# The wheel carries no licence file; its metadata says MIT, and so does the repository it is from.
NOTICE = """\
Graph layout: dagre, Copyright (c) 2012-2014 Chris Pettitt,
as kept in Netron, Copyright (c) Lutz Roeder. MIT License:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or \
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT \
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT \
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclasses.dataclass(frozen=True)
class LayoutLibrary:
    """The script and what it is.

    Attributes:
        script: Source of the ES module.
        label: Name, version and licence, for the page's foot.
    """

    script: str
    label: str


def find_layout_library() -> LayoutLibrary:
    """Reads the script from the installed package.

    Raises:
        UserMistake: The package is not installed, or its script is not the one we know.
    """
    try:
        installed = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise _unusable("is not installed") from error
    path = installed.locate_file(_SCRIPT)
    try:
        with open(str(path), encoding="utf-8") as reader:
            script = reader.read()
    except OSError as error:
        raise _unusable(f"{installed.version} has no {_SCRIPT}") from error
    if not script.rstrip().endswith(_EXPORT) or "</script" in script:
        raise _unusable(f"{installed.version} has a {_SCRIPT} that is not the one we know")
    return LayoutLibrary(script, f"dagre from {PACKAGE} {installed.version}, MIT License")


def _unusable(found: str) -> UserMistake:
    hint = f"`make setup` installs the pinned one; elsewhere `pip install {PACKAGE}`"
    return UserMistake.explain(
        f"the Python package {PACKAGE}", found, "the explorer draws with the script in it", hint
    )
