"""Any settings file and any `--set`: settings, or a SettingsError that says what is wrong."""

import copy
from unittest import mock

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fareline.errors import SettingsError
from pipeline.settings import load
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH, Settings
from tests.fuzz.examples import examples

_TAXI = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))


def _paths(values, path=()):
    yield path
    for name, inner in values.items() if isinstance(values, dict) else ():
        yield from _paths(inner, (*path, name))


_PATHS = [path for path in _paths(_TAXI) if path]
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.dates(), st.datetimes(), st.binary(max_size=4),
    st.sampled_from([10**400, -1, 0, "1e3", "null", "taxi", "a/b", "\ud800", "{SPAN}", "gs://b"]),
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.one_of(st.text(max_size=6), _SCALARS), inner, max_size=3)
    ),
    max_leaves=6,
)
# Of pieces that mean something to YAML, and to what reads the overrides.
_YAML = st.lists(
    st.one_of(
        st.sampled_from(
            ["{", "}", "[", "]", ":", ": ", "- ", "&a ", "*a", "!!int ", "!!python/object:x ",
             "<<: ",
             "'", '"', "|", ">", "\n", "  ", "#", "%", "@", "`", "? ", "!", "2026-13-45", "0o9",
             "1_000", ".inf", ".nan", "1e999", "~", "\t", "---\n", "name", "data", "seed"]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)  # fmt: skip
_OVERRIDE = st.one_of(
    st.tuples(st.sampled_from(_PATHS).map(lambda path: ".".join(map(str, path))), _YAML).map(
        "=".join
    ),
    _YAML,
)


def _load(path, overrides=()):
    """Loads; what is said of a mistake names the file or the override, a line for each."""
    try:
        found = load_settings(path, overrides)
    except SettingsError as error:
        assert str(error).strip()
        assert "Traceback" not in str(error)
        return
    assert isinstance(found, Settings)


def _load_values(values, overrides=()):
    """Loads what a file of these values holds."""
    with mock.patch.object(load, "_read_yaml", lambda path: copy.deepcopy(values)):
        _load(DEFAULT_PATH, overrides)


@settings(**examples(15))
@given(st.lists(st.tuples(st.sampled_from(_PATHS), _VALUES), min_size=1, max_size=3))
def test_any_value_anywhere_in_the_file(changes):
    values = copy.deepcopy(_TAXI)
    for (*parents, last), value in changes:
        section = values
        for name in parents:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[last] = value
    _load_values(values)


@settings(**examples(30))
@given(st.one_of(_YAML.map(lambda text: text.encode(errors="replace")), st.binary(max_size=40)))
def test_any_bytes_as_a_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any-bytes.yaml"
    path.write_bytes(content)
    _load(path)


@settings(**examples(30))
@given(st.lists(_OVERRIDE, min_size=1, max_size=3))
def test_any_override(overrides):
    _load_values(_TAXI, overrides)


def test_the_file_as_it_is():
    """What the two properties take for granted, since reading YAML takes 40 ms."""
    assert load_settings(DEFAULT_PATH) == Settings.model_validate(copy.deepcopy(_TAXI))
