"""The pages of the documentation that are generated from the code, and the navigation."""

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from cli.app import app
from cli.examples import EXAMPLES
from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH, Settings


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CHECKOUT / "docs" / "site"))
        import reference

        return reference


@pytest.fixture(scope="module")
def rows(reference):
    """Cells of each setting, by its path."""
    page = reference.settings_page(
        Settings.model_json_schema(by_alias=True), DEFAULT_PATH.read_text(encoding="utf-8")
    )
    found = [
        re.split(r" (?<!\\)\| ", line[2:-2]) for line in page.splitlines() if line[:3] == "| `"
    ]
    return {cells[0].strip("`"): cells[1:] for cells in found}


@pytest.mark.parametrize(
    ("path", "kind", "default"),
    [
        ("name", "text, matches `^[a-z0-9][a-z0-9-]{0,127}$`", "required"),
        ("seed", "integer, ≥ 0, < 4294967296", "`20`"),
        ("data.max_bad_share", "number, ≥ 0, ≤ 1", "`0.001`"),
        ("tuning.policy", "`always` or `on_drift` or `never`", '`"always"`'),
        ("push.keep_versions", "integer, ≥ 2 or null", "`null`"),
        ("features.vocabulary.NAME.size", "integer, ≥ 1", "required"),
    ],
)
def test_a_setting_has_its_type_range_and_default(rows, path, kind, default):
    assert rows[path][:2] == [kind, default]


def test_the_meaning_is_the_comment_of_the_settings_file(rows):
    assert rows["training.patience"][2] == "evaluations without a better validation AUC"
    assert "narrowest counts" in rows["gate.rules"][2]  # which goes on in the next lines


def test_every_setting_is_listed_with_a_meaning(rows):
    assert {path.partition(".")[0] for path in rows} == {
        field.alias or name for name, field in Settings.model_fields.items()
    }
    assert len(rows) > 100
    assert [path for path, cells in rows.items() if not cells[2].strip()] == []


def test_meanings_by_hand_are_of_settings_that_exist(reference, rows):
    assert set(reference.OTHER_MEANINGS) - set(rows) == set()


def test_every_command_is_listed_with_its_options(reference):
    page = reference.commands_page(app, EXAMPLES)
    for words, command in reference._commands(typer.main.get_command(app), ()):
        [section] = re.findall(
            rf"^###? `fareline {' '.join(words)}`$(.*?)(?=^###? |\Z)", page, re.M | re.DOTALL
        )
        assert command.help.splitlines()[0] in section
        assert EXAMPLES[" ".join(words)] in section
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[0] in section, (words, parameter.opts)


def test_the_documented_modules_exist(reference):
    for module in (name for names in reference.API.values() for name in names):
        path = CHECKOUT / Path(*module.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _navigated(part):
    if isinstance(part, str):
        yield part
    else:
        for child in part.values() if isinstance(part, dict) else part:
            yield from _navigated(child)


def test_every_page_is_in_the_navigation():
    site = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = {p.relative_to(CHECKOUT / "docs").as_posix() for p in (CHECKOUT / "docs").rglob("*.md")}
    assert pages - set(_navigated(site["nav"])) == set()
