"""YAML is read the same by PyYAML's parser in C and by that in Python, or by the latter alone."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fareline import yaml_text
from pipeline.settings.settings import DEFAULT_PATH

PIECES = (
    "a", "b", "é", "1", "0x1f", "1:30", "2001-01-01", "null", "true", ".", "- ", "-", "? ", "?",
    "?\n", ": ", ":", ":\t", "\n", "\n  ", "\n- ", " ", "\t", "[", "]", "{", "}", ",", ", ", "#",
    " # ", "\n# ? ", "'", '"', "\\", "&a ", "*a", "!", "!!str ", "|", "|-\n ", ">\n ", "%", "@",
    "`", "~", "=", "<<: ", "---\n", "...\n", "\r", "\x85", "\u2028", "\ufeff", "\0", "\ud800",
    "k: v\n", "k: w\n",
)  # fmt: skip


def outcome(read, text):
    try:
        return repr(read(text))
    except (yaml.YAMLError, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@example("[x?y]")
@example("|# a")
@example("k: v\n\ufeff")
@settings(max_examples=300)
def test_a_text_is_read_as_python_reads_it(text):
    expected = outcome(lambda text: yaml_text._load(yaml_text._Loader, text), text)
    assert outcome(yaml_text.load_yaml, text) == expected


@pytest.mark.parametrize("text", ["[" * 20_000, "- " * 20_000, "{a: " * 20_000])
def test_what_is_too_deep_is_an_error_and_not_the_end(text):
    with pytest.raises(RecursionError):
        yaml_text.load_yaml(text)


def test_the_settings_files_are_read_fast():
    for path in DEFAULT_PATH.parent.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert yaml_text._reads_alike(text), path
        fast = yaml_text._load(yaml_text._FastLoader, text)
        assert fast == yaml_text._load(yaml_text._Loader, text)
