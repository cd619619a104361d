"""Self-contained pages: one HTML file with its styles, scripts and data in it.

The policy in such a page lets exactly the scripts and styles work that were written into it, by
their hashes, and nothing reach the network. Called by the explorer and by the page of a run.
"""

import base64
import hashlib
import html
import json
import urllib.parse
from importlib import resources
from typing import Any

from markupsafe import Markup

THEME = ("report", "theme.css")  # colours and type of every page
_ICON = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{}</svg>"


def read_web(package: str, name: str) -> str:
    """Reads a file of a package's folder `web`, with the same ends of line on every machine."""
    path = resources.files(package).joinpath("web", name)
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")


def content_security_policy(styles: list[str], scripts: list[str], served: bool = False) -> str:
    """The policy that lets these inline styles and scripts work and forbids all else.

    Args:
        styles: Whole.
        scripts: Whole.
        served: Whether the page may ask the server that it came from, and show its pages in frames.
    """
    return "; ".join(
        [
            "default-src 'none'",
            *(["connect-src 'self'", "frame-src 'self'"] if served else []),
            "img-src data:",  # the icon in the tab
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + " ".join(map(_hash, styles)),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def page_head(
    title: str, icon: str, styles: list[str], scripts: list[str], served: bool = False
) -> Markup:
    """The head of a page, with its styles and what it may load.

    Args:
        title: Plain text.
        icon: Content of an SVG of 16 by 16 units, for the tab.
        styles: Whole, after those of every page.
        scripts: Whole, those of the page.
        served: See `content_security_policy`.
    """
    styles = [read_web(*THEME), *styles]
    parts = {
        "policy": content_security_policy(styles, scripts, served),
        "title": html.escape(title),
        "icon": urllib.parse.quote(_ICON.format(icon), safe=" /:='"),
        "styles": "".join(f"<style>{style}</style>\n" for style in styles),
    }
    return Markup(fill(read_web("report", "head.html"), parts).rstrip())  # of parts made here


def fill(template: str, parts: dict[str, str]) -> str:
    """Puts parts where the template says `{{name}}`; what is in a part is left alone."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled)


def as_data(content: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element, or begin another."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
