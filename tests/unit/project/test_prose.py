"""Habits that make text hard to read are in no page, help text, docstring, message and label."""

import pytest
import typer.main

from cli.app import app
from fareline.packages import CHECKOUT, PACKAGES


@pytest.fixture(scope="module")
def prose():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHECKOUT / "docs" / "site"))
        import prose

        return prose


def helps(group, words=("fareline",)):
    """Help texts of each command and of its options, by where they are."""
    for name, command in group.commands.items():
        here = (*words, name)
        yield " ".join(here), command.help or ""
        if hasattr(command, "commands"):
            yield from helps(command, here)
        else:
            for parameter in command.params:
                yield f"{' '.join(here)} {parameter.name}", getattr(parameter, "help", None) or ""


def test_pages_and_help_have_none_of_the_habits(prose):
    texts = dict(helps(typer.main.get_command(app)))
    assert len(texts) > 100
    assert prose.all_findings(CHECKOUT, texts) == []


def test_docstrings_and_messages_have_none_of_the_habits(prose):
    modules = [path for name in PACKAGES for path in sorted((CHECKOUT / name).rglob("*.py"))]
    assert len(modules) > 500
    assert [found for module in modules for found in prose.findings_in_docstrings(module)] == []
    assert [found for module in modules for found in prose.findings_in_messages(module)] == []


def test_labels_of_pages_have_none_of_the_habits(prose):
    folder = CHECKOUT / "report"
    pages = [path for kind in ("html", "js") for path in sorted(folder.rglob(f"*.{kind}"))]
    assert len(pages) > 30
    assert [found for page in pages for found in prose.findings_in_labels(page)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.js", 'button("All that came of it", go)'),
        ("a.js", "button('All that came of it', go)"),
        ("a.js", "button(`All that came of ${it} came of it`, go)"),
        ("a.html", "<p>Nothing was found.</p>"),
        ("a.html", '<b title="All that came of it">?</b>'),
    ],
)
def test_a_habit_is_found_in_a_label(prose, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert len(list(prose.findings_in_labels(tmp_path / name))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "path: Of the file.",
        "rows: How many.",
        "files: That were read.",
        "model: Whose weights are taken.",
        "ValueError: It is not JSON.",
    ],
)
def test_an_argument_without_a_noun_is_found(prose, tmp_path, line):
    module = tmp_path / "own.py"
    module.write_text(
        f'"""One."""\n\n\ndef f(path):\n    """Reads.\n\n    Args:\n        {line}\n    """\n'
    )
    [found] = prose.findings_in_docstrings(module)
    assert found.startswith("own.py: f: ")


@pytest.mark.parametrize("page", ["README.md", "docs/a/b.md", "data/README.md", ".github/x.md"])
def test_a_habit_is_found_in_each_page_of_the_project(prose, tmp_path, page):
    (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / page).write_text("It waits for nobody.\n")
    [found] = prose.all_findings(tmp_path, {})
    assert found.startswith(f"{page}:1: 'nobody'")


def test_a_habit_is_found_in_the_docstring_of_a_package_and_in_a_message(prose, tmp_path):
    module = tmp_path / "__init__.py"
    module.write_text('"""One of the rooms."""\n\nWHY = f"{1} model is judged on floors alone"\n')
    [found] = prose.findings_in_docstrings(module)
    assert "'rooms'" in found
    [found] = prose.findings_in_messages(module)
    assert found.startswith("__init__.py:3: 'floors'")


@pytest.mark.parametrize("definition", ["def f():", "def _f():", "async def f():", "class F:"])
def test_a_habit_is_found_in_a_docstring(prose, tmp_path, definition):
    module = tmp_path / "own.py"
    module.write_text(f'"""One."""\n\n\n{definition}\n    """Waits for nobody."""\n')
    [found] = prose.findings_in_docstrings(module)
    assert "'nobody'" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It waits for nobody.", "nobody"),
        ("Text.\n\nNothing is written.", "Nothing is"),
        ("The model is judged on floors alone.", "floors"),
        ("Whoever submits needs a role.", "Whoever"),
        ("All that came of it.", "came of it"),
        ("The result hangs on the order.", "hangs on"),
        ("Each window is held against the split.", "held against"),
    ],
)
def test_a_habit_is_found_in_a_page(prose, text, words):
    [found] = prose.findings_in_page("page.md", text)
    assert words in found


def test_code_and_output_are_not_looked_at(prose):
    text = "Run `nobody`.\n\n```\nNothing is done\n```\n"
    assert list(prose.findings_in_page("page.md", text)) == []


@pytest.mark.parametrize("text", ["How many.", "Which one.", "Of what is written.", "Files."])
def test_a_fragment_is_found_in_help(prose, text):
    assert len(list(prose.findings_in_help("fareline x", text))) == 1


def test_every_allowance_is_still_needed(prose, monkeypatch):
    for page, words in prose.ALLOWED:
        texts = [(CHECKOUT / page).read_text()] if page.endswith(".md") else [words]
        assert any(words in text for text in texts), (page, words)
