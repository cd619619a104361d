"""Finds habits that make text hard to read: in pages, help, docstrings, messages and labels.

`make docs` and a test fail on a finding. Code, output and generated text are skipped. The rules are
those of the project: subject, verb, object; a noun for each pronoun; the terms of the field.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

RULES = {
    r"\b(rooms|this room|[Ee]very room|floors|the house)\b": "use the term of the field",
    r"\b(ground floor|coats?)\b": "use the term of the field",
    r"\b[Nn]obody\b": "name who does not, or what does not happen",
    r"(^|[.:] )(Nothing|None) (is|was|has|of|can|will)\b": "name the subject",
    r"\b[Ww]ho(so)?ever\b": "name the person or the program",
    r"\bwhat judges\b": "name the code or the component",
    r"\b(tell|told) (the|it|them|nobody)\b": "programs report; they do not tell",
    r"\bputs? (\w+ ){0,2}out\b": "write 'outputs'",
    r"\b[Hh]angs? on\b": "write 'depends on'",
    r"\b[Hh]eld against\b": "write 'compared with'",
    r"\b[Ll]ooks? whether\b": "write 'checks'",
    r"\bcame of (it|this|that|all)\b": "write 'derived from'",
}
HELP_RULES = RULES | {
    r"^(How many|Files|Which one|Where|Where to|Why; recorded)\.$": "name what the option holds",
    r"^Of (the|what|a)\b": "begin with a noun",
}
# Of lines below `Args:`, `Attributes:` and `Raises:`.
ARGUMENT_RULES = {
    r"^ +\w+: (Of (the|its|this|what|a)|How many|That|Whose|Nor|Which)\b": "begin with a noun",
    r"^ +\w+Error: It (is|does|cannot)\b": "name the subject",
}
# (page, words): why these words stay although a rule finds them.
ALLOWED: dict[tuple[str, str], str] = {}
PAGES = ("docs", "data", ".github")
_QUOTED = re.compile(r"""(["'`])((?:(?!\1).)*)\1""")
_CODE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


def findings_in_page(name: str, text: str) -> Iterator[str]:
    """`page:line: words: what to do` of each habit in a page.

    Args:
        name: Path of the page in the project.
        text: Its Markdown.
    """
    plain = _CODE.sub(lambda match: "\n" * match[0].count("\n"), text)
    plain = re.sub(r"`[^`\n]*`", "CODE", plain)
    for number, line in enumerate(plain.splitlines(), 1):
        for pattern, advice in RULES.items():
            for match in re.finditer(pattern, line):
                if not _is_allowed(name, line):
                    yield f"{name}:{number}: {match[0].strip()!r}: {advice}"


def findings_in_help(where: str, text: str) -> Iterator[str]:
    """The same of a help text.

    Args:
        where: The command and the option.
        text: What its help says.
    """
    for pattern, advice in HELP_RULES.items():
        if match := re.search(pattern, text):
            yield f"{where}: {match[0].strip()!r}: {advice}"


def findings_in_docstrings(module: Path) -> Iterator[str]:
    """The same of the docstrings of a module.

    Args:
        module: Its file.
    """
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = getattr(node, "name", module.name)
        text = re.sub(r"`[^`]*`", "CODE", ast.get_docstring(node) or "")
        for pattern, advice in (RULES | ARGUMENT_RULES).items():
            if match := re.search(pattern, text, re.MULTILINE):
                yield f"{module.name}: {name}: {match[0].strip()!r}: {advice}"


def findings_in_messages(module: Path) -> Iterator[str]:
    """The same of the texts of several words in a module, which are messages and answers.

    Args:
        module: Its file.
    """
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        text = node.value if isinstance(node.value, str) else ""
        for pattern, advice in RULES.items() if " " in text else ():
            if match := re.search(pattern, text, re.MULTILINE):
                yield f"{module.name}:{node.lineno}: {match[0].strip()!r}: {advice}"


def findings_in_labels(page: Path) -> Iterator[str]:
    """The same of the texts in a script or a template of a page.

    Args:
        page: Path of a `.js` or `.html` file.
    """
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".js":
        labels = [each[2] for each in _QUOTED.finditer(text) if " " in each[2]]
    else:
        labels = re.findall(r'(?:title|alt|placeholder|aria-label)="([^"]*)"', text)
        labels += re.sub(r"{%.*?%}|<[^>]*>", "\n", text).splitlines()
    for label in labels:
        for pattern, advice in RULES.items():
            if match := re.search(pattern, label.strip()):
                yield f"{page.name}: {match[0].strip()!r}: {advice}"


def _is_allowed(name: str, line: str) -> bool:
    return any(name.startswith(page) and words in line for page, words in ALLOWED)


def all_findings(root: Path, helps: dict[str, str]) -> list[str]:
    """Every finding in the pages of the project and in help texts.

    Args:
        root: Folder of the project: its own pages, and those below docs/, data/ and .github/.
        helps: Help texts by where they are.
    """
    found = []
    for page in [*root.glob("*.md"), *(p for name in PAGES for p in root.glob(f"{name}/**/*.md"))]:
        name = page.relative_to(root).as_posix()
        found += findings_in_page(name, page.read_text(encoding="utf-8"))
    for where, text in helps.items():
        found += findings_in_help(where, text)
    return found
