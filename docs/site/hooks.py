"""The hooks of mkdocs.yml: adds generated pages, and links to files that are not on the site."""

import logging
import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
for folder in (CHECKOUT / "requirements", Path(__file__).parent, CHECKOUT):
    sys.path.insert(0, str(folder))

import licences  # noqa: E402
import prose  # noqa: E402
import reference  # noqa: E402
from mkdocs.structure.files import File  # noqa: E402

# Pages of the site that stand outside docs/, by their path there.
FROM_ROOT = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "taxi-data.md": "data/README.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")


def on_pre_build(**_):
    """Warns of habits that make a page hard to read; a warning ends a strict build."""
    for finding in prose.all_findings(CHECKOUT, {}):
        logging.getLogger("mkdocs.prose").warning(finding)


def on_files(files, config):
    """Adds the generated pages and those that stand outside docs/."""
    example = (CHECKOUT / "pipeline" / "configs" / "taxi.yaml").read_text(encoding="utf-8")
    table = licences.markdown_table(licences.list_licences())
    pages = reference.generated_pages(example, table)
    for path, source in FROM_ROOT.items():
        pages[path] = _from_root((CHECKOUT / source).read_text(encoding="utf-8"))
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, **_):
    """Links to files of the project that are not on the site become their path.

    Raises:
        ValueError: There is no such file.
    """
    elsewhere = {source: path for path, source in FROM_ROOT.items()}

    def shown(match):
        text, target, anchor = match[1], match[2], match[3] or ""
        source = (CHECKOUT / "docs" / page.file.src_uri).parent
        file = (source / target).resolve()
        if not file.exists():
            raise ValueError(f"docs/{page.file.src_uri}: there is no {target}; expected a file")
        path = file.relative_to(CHECKOUT).as_posix()
        if path in elsewhere:
            return f"[{text}]({elsewhere[path]}{anchor})"
        return match[0] if path.startswith("docs/") else f"`{path}`"

    return _LINK.sub(shown, markdown)


def _from_root(text):
    return text.replace("](docs/", "](")
