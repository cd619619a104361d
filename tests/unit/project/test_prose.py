"""Habits that make text hard to read are in no page and in no help text."""

import pytest
import typer.main

from cli.app import app
from fareline.packages import CHECKOUT


@pytest.fixture(scope="module")
def prose():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHECKOUT / "docs" / "site"))
        import prose

        return prose


@pytest.fixture(scope="module")
def api(prose):
    """Files of the modules whose docstrings are on the site."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHECKOUT / "docs" / "site"))
        import reference

        names = [name for names in reference.API.values() for name in names]
    paths = [CHECKOUT.joinpath(*name.split(".")) for name in names]
    return [p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in paths]


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
    assert prose.all_findings(CHECKOUT / "docs", texts) == []


def test_docstrings_of_the_api_have_none_of_the_habits(prose, api):
    assert len(api) > 10
    assert [found for module in api for found in prose.findings_in_docstrings(module)] == []


def test_a_habit_is_found_in_a_docstring(prose, tmp_path):
    module = tmp_path / "own.py"
    module.write_text('"""One."""\n\n\ndef f():\n    """Waits for nobody."""\n')
    [found] = prose.findings_in_docstrings(module)
    assert found.startswith("own.py: f: 'nobody'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It waits for nobody.", "nobody"),
        ("Text.\n\nNothing is written.", "Nothing is"),
        ("The model is judged on floors alone.", "floors"),
        ("Whoever submits needs a role.", "Whoever"),
        ("All that came of it.", "came of it"),
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
    docs = CHECKOUT / "docs"
    for page, words in prose.ALLOWED:
        texts = [(docs / page).read_text()] if page.endswith(".md") else [words]
        assert any(words in text for text in texts), (page, words)
