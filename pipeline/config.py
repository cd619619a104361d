"""Loading settings: read the YAML file, apply `--set` overrides, validate, say what is wrong.

One YAML file is one pipeline. A wrong one gives every problem at once. Called by runners and tests;
imports no TFX and no TensorFlow, so that a typing mistake is answered at once.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
import yaml

from fareline.errors import SettingsError
from pipeline.sections import DEFAULT_PATH, Settings

PATH_SETTINGS = ("data.source.csv", "schema", "push.destination")


def load_settings(path: Path = DEFAULT_PATH, overrides: Sequence[str] = ()) -> Settings:
    """Reads a settings file, applies `KEY.PATH=VALUE` overrides and validates the result.

    Args:
        path: YAML file.
        overrides: As given to `--set`, applied in order; values are YAML.

    Returns:
        The settings.

    Raises:
        SettingsError: With one line per problem.
    """
    values = _read_yaml(path)
    for override in overrides:
        _apply_override(values, override)
    try:
        settings = Settings.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [_describe(problem, values) for problem in error.errors()]
        raise SettingsError("\n".join(f"{path}: {line}" for line in problems)) from error
    settings._path = path.resolve()
    return settings


def _read_yaml(path: Path) -> dict[str, Any]:
    hint = "copy pipeline/configs/taxi.yaml and change that"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError.explain(
            str(path), f"cannot be read ({error.strerror})", "expected a settings file", hint
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
        raise SettingsError.explain(str(path), found, "expected YAML in UTF-8", hint) from error
    if not isinstance(values, dict):
        found = f"found {type(values).__name__}"
        raise SettingsError.explain(str(path), found, "expected a mapping of settings", hint)
    return values


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
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError.explain(
            where, f"found {text!r}", "expected a YAML value", "quote the value"
        ) from error
    *parents, last = key.split(".")
    if key in PATH_SETTINGS and isinstance(value, str) and _is_relative_path(value):
        value = str(Path.cwd() / value)  # the command line's paths start where it was typed
    if ".".join(parents) == "data.source" and isinstance(values.get("data"), dict):
        values["data"]["source"] = {}  # one of several kinds: naming one replaces the other
    section = values
    for name in parents:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise SettingsError.explain(
                where, f"{name} is a single value", "expected a section", "see the settings file"
            )
    section[last] = value


def _is_relative_path(value: str) -> bool:
    """Whether a text is a relative path: no URI, not absolute, and no bare name of a schema."""
    bare_name = "/" not in value and "." not in value
    return "://" not in value and not bare_name and not Path(value).is_absolute()


def _describe(problem: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """One line for one pydantic problem: path, what was found, what was expected, nearest key."""
    location = [str(part) for part in problem["loc"]]
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown setting; {guess}expected one of {', '.join(known)}."
    if problem["type"] == "missing":
        return f"{where}: missing; expected a value. Hint: see pipeline/configs/taxi.yaml."
    expected = _EXPECTATIONS.get(problem["type"])
    if expected:
        expected = "expected " + expected.format(**problem.get("ctx", {}))
    else:
        expected = problem["msg"].removeprefix("Value error, ")
    return f"{where}: found {_shorten(problem['input'])}; {expected}."


# pydantic's kinds of problems in our words.
_EXPECTATIONS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a section with settings of its own",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a section with settings of its own",
    "string_pattern_mismatch": "lower-case letters, digits and hyphens, not first a hyphen",
    "string_type": "a text",
    "too_short": "at least {min_length}",
    "tuple_type": "a list [low, high]",
}


def _known_keys(location: Sequence[str]) -> list[str]:
    """The keys that a section knows, found by walking the models along `location`."""
    model: Any = Settings
    for name in location:
        fields = {f.alias or key: f for key, f in getattr(model, "model_fields", {}).items()}
        model = fields[name].annotation if name in fields else model
    models = [m for m in (model, *getattr(model, "__args__", ())) if hasattr(m, "model_fields")]
    return [f.alias or key for m in models for key, f in m.model_fields.items()]


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
