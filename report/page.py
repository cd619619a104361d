"""Pages that need nothing but themselves: one HTML file with its styles, scripts and data in it.

The policy in such a page lets exactly the scripts and styles work that were written into it, by
their hashes, and nothing reach the network. Called by the explorer and by the page of a run.
"""

import base64
import hashlib
from importlib import resources

THEME = ("report", "theme.css")  # colours and type of every page


def read_web(package: str, name: str) -> str:
    """Reads a file of a package's folder `web`, with the same ends of line on every machine."""
    path = resources.files(package).joinpath("web", name)
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")


def content_security_policy(styles: list[str], scripts: list[str]) -> str:
    """The policy that lets these inline styles and scripts work and forbids all else."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",  # the icon in the tab
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + " ".join(map(_hash, styles)),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
