"""Loads settings: reads the YAML file, applies `--set` overrides and validates the result.

One YAML file describes one pipeline. All problems of a file are reported together. Called by
runners and tests. Imports neither TFX nor TensorFlow, so that mistakes are reported quickly.
"""

import copy
import os
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
import yaml

from fareline.errors import SettingsError
from fareline.near import guess
from fareline.yaml_text import RepeatedKey, load_yaml
from lineage.store.address import without_password
from lineage.text.harmless import plain
from pipeline.settings.blame import headed_by, is_within
from pipeline.settings.data import SOURCE_KINDS
from pipeline.settings.settings import DEFAULT_PATH, Settings
from schema.curated import is_packaged_name

PATH_SETTINGS = (
    "data.source.csv",
    "data.source.files",
    "schema",
    "code.folder",
    "drift.serving_sample",
    "push.destination",
)
# What PyYAML raises, and what its constructors let through: ValueError of a date that there is not,
# IndexError of `!!int ''`, AttributeError of a date by tag that is none, and the end of the stack.
_NOT_YAML = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
# Sections that hold a path for each name that the user chose.
PATH_MAPPINGS = ("data.source.sql.files", "data.source.bigquery.files")


def load_settings(path: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Reads a settings file, applies `KEY.PATH=VALUE` overrides and validates the result.

    Args:
        path: YAML file; None: the file that is part of Fareline.
        overrides: Texts of `--set`, applied in order; values are YAML.

    Returns:
        The settings.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    path = path or DEFAULT_PATH
    read = _read_yaml(path)
    values = copy.deepcopy(read)
    for override in overrides:
        _apply_override(values, override)
    try:
        settings = Settings.model_validate(values)
    except pydantic.ValidationError as error:
        problems = sorted(error.errors(), key=lambda problem: _place(problem["loc"], values))
        lines = []
        for problem in problems:
            where, _, rest = plain(_describe(problem), limit=None).partition(": ")
            lines.append(headed_by(_culprit(problem, read, overrides), path, where, rest))
        raise SettingsError("\n".join(lines)) from error
    settings._path = path.resolve()
    settings._overridden = tuple(map(_key_of, overrides))
    return settings


def _key_of(override: str) -> str:
    return override.partition("=")[0]


def _culprit(
    problem: Mapping[str, Any], read: Mapping[str, Any], overrides: Sequence[str]
) -> str | None:
    """The key of the `--set` that a problem came with; None if the file alone has it.

    A value in what was set came from there. Of a problem that several settings make together it is
    the first `--set` after which the problem is there.
    """
    where = ".".join(map(str, problem["loc"]))
    inside = [key for key in map(_key_of, overrides) if is_within(where, key)]
    if inside:
        return inside[-1]
    values = copy.deepcopy(read)
    for override in (None, *overrides):
        if override is not None:
            _apply_override(values, override)
        if any(_same(problem, each) for each in _problems_of(values)):
            return None if override is None else _key_of(override)
    return None


def _problems_of(values: Mapping[str, Any]) -> list[Any]:
    try:
        Settings.model_validate(values)
    except pydantic.ValidationError as error:
        return error.errors()
    return []


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["loc"], one["msg"]) == (other["loc"], other["msg"])


def _read_yaml(path: Path) -> dict[str, Any]:
    hint = "copy pipeline/configs/taxi.yaml and change that"
    try:
        values = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError.explain(
            str(path), f"cannot be read ({error.strerror})", "expected a settings file", hint
        ) from error
    except RepeatedKey as error:
        raise _repeated(str(path), error, f" in line {error.problem_mark.line + 1}") from error
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        said = str(error).partition("\n")[0] or type(error).__name__
        found = f"{error.problem} in line {mark.line + 1}" if mark else said
        raise SettingsError.explain(str(path), found, "expected YAML in UTF-8", hint) from error
    if not isinstance(values, dict):
        found = "the file is empty" if values is None else f"found {_name_kind(values)}"
        raise SettingsError.explain(str(path), found, "expected sections of settings", hint)
    return values


def _repeated(where: str, error: RepeatedKey, place: str = "") -> SettingsError:
    return SettingsError.explain(
        where, f"found {error.problem}{place}", "expected each setting once", "join the two"
    )


def _apply_override(values: dict[str, Any], override: str) -> None:
    where = f"--set {override}"
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError.explain(
            where,
            "found no KEY=VALUE",
            "expected a dotted key and a value",
            "write for example --set training.steps=50",
        )
    try:
        value = load_yaml(text)
    except RepeatedKey as error:
        raise _repeated(where, error) from error
    except _NOT_YAML as error:
        raise SettingsError.explain(
            where, f"found {text!r}", "expected a YAML value", "quote the value"
        ) from error
    *parents, last = key.split(".")
    value = _start_paths_here(key, value)
    if key.startswith("data.source.") and isinstance(values.get("data"), dict):
        _replace_source(values["data"], key.split(".")[2])
    section = values
    for name in parents:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise SettingsError.explain(
                where,
                f"{name} is {_name_kind(section)}",
                "expected a section",
                f"set {name} as a whole",
            )
    section[last] = value


def _replace_source(data: dict[str, Any], kind: str) -> None:
    """A source is one of several kinds: naming another one replaces it, and how it is written."""
    source = data.get("source")
    if not isinstance(source, dict) or (kind in SOURCE_KINDS and source.get(kind) is None):
        data["source"] = {}


def _start_paths_here(key: str, value: Any) -> Any:
    """Makes relative paths in a `--set` start where the command was typed."""
    if isinstance(value, dict):
        return {name: _start_paths_here(f"{key}.{name}", inner) for name, inner in value.items()}
    is_path = key in PATH_SETTINGS or any(key.startswith(f"{name}.") for name in PATH_MAPPINGS)
    if not is_path or not isinstance(value, str) or "://" in value:
        return value
    if key == "schema" and is_packaged_name(value):
        return value
    return str(Path.cwd() / os.path.expanduser(value))  # unlike Path's, it never raises


def _place(location: Sequence[str | int], values: Any) -> list[int]:
    """Where in the file a setting stands, to sort by; one that is missing, after its section."""
    place = []
    for part in location:
        if isinstance(values, dict):
            place.append(list(values).index(part) if part in values else len(values))
            values = values.get(part)
        else:
            number = part if isinstance(part, int) else 0  # a text where pydantic wanted no list
            place.append(number)
            is_there = isinstance(values, list) and number < len(values)
            values = values[number] if is_there else None
    return place


def _describe(problem: Mapping[str, Any]) -> str:
    """One line for one pydantic problem: path, what was found, what was expected, nearest key."""
    location = [str(part) for part in problem["loc"]]
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = problem.get("ctx", {}).get("known") or _known_keys(location[:-1])
        near = guess(location[-1], known)
        return f"{where}: unknown setting; {near}expected one of {', '.join(known)}."
    if problem["type"] == "missing":
        return f"{where}: missing; expected a value. Hint: see pipeline/configs/taxi.yaml."
    expected = _EXPECTATIONS.get(problem["type"])
    if expected:
        expected = "expected " + expected.format(**_plain_numbers(problem.get("ctx", {})))
    else:
        expected = problem["msg"].removeprefix("Value error, ")
    return f"{where}: found {_shorten(problem['input'])}; {expected}."


# pydantic's kinds of problems in our words.
_EXPECTATIONS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a section with settings of its own",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "invalid_key": "a text",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a section with settings of its own",
    "string_pattern_mismatch": "lower-case letters, digits and hyphens, not first a hyphen",
    "string_type": "a text",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list [low, high]",
}


def _known_keys(location: Sequence[str]) -> list[str]:
    """The keys that a section knows, found by walking the models along `location`."""
    models: list[Any] = [Settings]
    is_chosen = False  # whether the next name is one that the user chose, such as a column
    for name in location:
        found = [m.model_fields[k] for m in models for k in m.model_fields if _alias(m, k) == name]
        others = [m for m in models if m.model_config.get("extra") == "allow"]
        if is_chosen or not (found or others):
            is_chosen = False
            continue
        annotation = found[0].annotation if found else _type_of_others(others[0])
        inner = (annotation, *getattr(annotation, "__args__", ()))
        is_chosen = any(getattr(each, "__origin__", None) is dict for each in inner)
        models = [m for m in inner if hasattr(m, "model_fields")]
    return [_alias(m, key) for m in models for key in m.model_fields]


def _type_of_others(model: Any) -> Any:
    """What a section takes under names that are the user's."""
    return typing.get_type_hints(model)["__pydantic_extra__"]


def _alias(model: Any, key: str) -> str:
    return model.model_fields[key].alias or key


def _plain_numbers(bounds: Mapping[str, Any]) -> dict[str, Any]:
    """1.0 as 1, whichever of them pydantic makes of a bound."""
    return {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in bounds.items()
    }


def _shorten(value: Any) -> str:
    text = without_password(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name_kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a single value"
