"""Writes the generated pages of the documentation site: settings, commands, API, licences.

Called by docs/site/hooks.py while the site is built; nothing of this is committed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import answers
import typer.main
import yaml
from typer.cli import get_docs_for_click

# What a program that uses Fareline as a library may rely on, by page.
API = {
    "settings": ("pipeline.settings.load", "pipeline.settings.settings"),
    "user-code": (
        "preprocessing.transform",
        "preprocessing.features",
        "models.network",
        "models.trainer",
        "models.tuner",
    ),
    "graph": ("pipeline.dag",),
    "runs": ("report.api.workspace", "report.api.run", "report.api.artifacts"),
    "recorded": ("fareline.recorded",),
    "errors": ("fareline.errors",),
}
# Of settings that the taxi pipeline does not use, so that its file has no comment on them.
OTHER_MEANINGS = {
    "name": "Name of the pipeline in the store, in paths and in requests.",
    "model.linear.search.learning_rate": "Least and greatest learning rate of the search.",
    "model.linear.search.l2": "Least and greatest weight of the sum of squares in the loss.",
    "data.source.dataset": "The taxi data that comes with TFX.",
    "data.source.csv": "A CSV file, or a folder of them; `{SPAN}` in the path makes spans.",
    "data.source.files": "A file or folder: CSV, JSON lines, Parquet, Arrow, TFRecord.",
    "data.source.sql.query": "A query that DuckDB answers on this machine.",
    "data.source.sql.files": "The path of each table in the query.",
    "data.source.bigquery.query": "A query that BigQuery answers; for clusters.",
    "data.source.bigquery.project": "The project that pays for the query; null: that of the job.",
    "data.source.bigquery.cache": "Whether the same query always returns the same rows.",
    "data.source.bigquery.files": "Local files in place of the tables, for runs on this machine.",
    "data.source.csv_format.separator": "The character between cells.",
    "data.source.csv_format.decimal": "The decimal mark of numbers.",
    "data.source.csv_format.encoding": "The encoding of the file.",
    "data.source.missing": "Spellings of a missing value, each with its columns or `all`.",
    "data.split_by.hash": "Columns whose values decide the split of a row.",
    "data.split_by.time": "A column: the oldest rows train, the newest rows evaluate.",
    "data.split_by.starts": "With `time`: the first value of each split.",
    "data.columns.NAME.pii": "Whether the column is personal and never reaches the Examples.",
    "data.columns.NAME.pseudonymize": "Whether a keyed hash takes the place of a personal value.",
    "drift.columns.NAME.policy": "What happens when this column has drifted.",
    "drift.columns.NAME.distance": "A fixed threshold; null: calibrated at the number of rows.",
    "features.numeric.NAME.log": "Whether the z-score is of log(1 + value).",
    "features.vocabulary.NAME.size": "Number of the most frequent values that are kept.",
    "features.vocabulary.NAME.oov_buckets": "Number of hash buckets for all other values.",
    "label.column": "The column that is predicted, or that the rule compares.",
    "label.above.column": "The label is 1 where `label.column` is above `times` this column.",
    "label.above.times": "The factor of that rule.",
    "label.positive": "The value of the column that is label 1.",
    "label.negative": "The value of the column that is label 0.",
    "label.classes": "The classes of a multiclass task, in order.",
    "label.log": "Whether a regression predicts log(1 + value).",
    "label.other": "What happens to a row whose value is no class.",
    "training.batch_size": "Examples per batch.",
    "tuning.trials": "Number of hyperparameter sets that are tried.",
    "tuning.search.learning_rate": "Lowest and highest learning rate.",
    "tuning.search.dropout": "Lowest and highest dropout rate.",
    "tuning.search.depth": "Numbers of dense layers.",
    "tuning.search.embedding_size": "Sizes of the shared embedding.",
}
_LICENCES = """# Licences of the dependencies

This list is generated from the metadata of the packages in the environment that built this site. A
test fails if a licence does not allow the use that Fareline makes of it.

"""
_LIMITS = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}",
    "minLength": "at least {} characters", "maxLength": "at most {:,} characters",
    "minItems": "at least {} items", "pattern": "matches `{}`",
}  # fmt: skip
_NAMES = {"object": "mapping", "array": "list", "string": "text", "null": "null"}


def settings_page(schema: dict[str, Any], example: str) -> str:
    """The page of all settings: type, range, default and meaning of each.

    Args:
        schema: JSON schema of the settings.
        example: The text of the settings file whose comments give the meanings.
    """
    meanings = dict(comments(example))
    lines = [
        "# Settings",
        "",
        "This page is generated from the typed sections in `pipeline/settings/` and from the",
        "comments in `pipeline/configs/taxi.yaml`. `fareline settings` prints the values of a run.",
        "A setting without a default must be given. `NAME` stands for a name that you choose.",
    ]
    heading = None
    for path, node, default in _settings(schema, schema, ()):
        if path[0] != heading:
            heading = path[0]
            lines += ["", f"## {heading}", ""]
            lines += [
                "| setting | type and range | default | meaning |",
                "| --- | --- | --- | --- |",
            ]
        cells = (f"`{'.'.join(path)}`", _range(node, schema), default, _meaning(path, meanings))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _meaning(path: tuple[str, ...], meanings: dict[tuple[str, ...], str]) -> str:
    """The comment on a setting, or on the innermost section around it that has one."""
    names = tuple(name for name in path if name != "NAME")
    own = OTHER_MEANINGS.get(".".join(path))
    around = (meanings[names[:n]] for n in range(len(names), 0, -1) if names[:n] in meanings)
    return own or next(around, "")


def _settings(node: dict, root: dict, path: tuple[str, ...]) -> Iterator[tuple[tuple, dict, str]]:
    """(path, schema, default in words) of each setting that is no section."""
    required = node.get("required", ())
    for name, child in node.get("properties", {}).items():
        here = (*path, name)
        section = _section(child, root)
        if section is not None:
            yield from _settings(section, root, here)
            continue
        values = child.get("additionalProperties")
        section = _section(values, root) if isinstance(values, dict) else None
        if section is not None:
            yield from _settings(section, root, (*here, "NAME"))
            continue
        has_default = "default" in child
        empty = "`{}`" if child.get("type") == "object" else "`[]`"
        default = f"`{_yaml(child['default'])}`" if has_default else empty
        yield here, child, "required" if name in required else default


def _section(node: dict, root: dict) -> dict | None:
    """The schema of a section with settings of its own, or None."""
    options = [option for option in node.get("anyOf", [node]) if option.get("type") != "null"]
    if len(options) != 1 or "$ref" not in options[0]:
        return None
    section = root["$defs"][options[0]["$ref"].rsplit("/", 1)[-1]]
    return section if section.get("properties") else None


def _range(node: dict, root: dict) -> str:
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        if node.get("properties"):
            return "{" + ", ".join(node["properties"]) + "}"
    for key in ("anyOf", "oneOf"):
        if key in node:
            return " or ".join(dict.fromkeys(_range(option, root) for option in node[key]))
    if "enum" in node or "const" in node:
        return " or ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    kind = _NAMES.get(node.get("type"), node.get("type") or "any")
    inside = node.get("items") or node.get("additionalProperties")
    if isinstance(inside, dict):
        kind += f" of {_range(inside, root)}"
    limits = [text.format(node[key]) for key, text in _LIMITS.items() if key in node]
    return ", ".join([kind, *limits])


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value is not None else "null"


def comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, comment) of each commented line of a settings file; a comment may go on below.

    Args:
        text: The settings file.
    """
    stack: list[tuple[int, str]] = []
    current, words = None, []
    for line in text.splitlines():
        code, _, comment = line.partition("#")
        key = re.match(r"( *)([\w.]+):", code)
        if key or not line.strip():
            if current and words:
                yield current, " ".join(words)
            current, words = None, []
        if key:
            indent = len(key[1])
            stack = [item for item in stack if item[0] < indent]
            stack.append((indent, key[2]))
            current = tuple(name for _, name in stack)
        if current and comment.strip():
            words.append(comment.strip())
    if current and words:
        yield current, " ".join(words)


def commands_page(application: typer.Typer, examples: dict[str, str]) -> str:
    """The page of all commands, by Typer's own generator, with an example of each.

    Args:
        application: The command line.
        examples: The example of each command, by its words.
    """
    root = typer.main.get_command(application)
    for words, command in _commands(root, ()):
        command.epilog = f"**Example**:\n\n```console\n$ {examples[' '.join(words)]}\n```"
    context = type(root).context_class(root, info_name="fareline")
    text = get_docs_for_click(obj=root, ctx=context, name="fareline", title="Commands")
    return text.replace(
        "# Commands\n",
        "# Commands\n\n[The command line](command-line.md) explains common options, the environment"
        " and exit codes.\n",
        1,
    )


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def api_page(title: str, modules: tuple[str, ...]) -> str:
    """A page of the Python API: the docstrings of some modules.

    Args:
        title: The heading.
        modules: Their dotted names.
    """
    return f"# {title}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"


def generated_pages(example: str, licences: str) -> dict[str, str]:
    """All generated pages, by their path on the site.

    Args:
        example: The text of the settings file whose comments give the meanings.
        licences: The table of licences.
    """
    from cli.app import app
    from cli.examples import EXAMPLES
    from pipeline.settings.settings import Settings

    yaml.safe_load(example)  # a file that cannot be read gives no meanings
    pages = {
        "reference-settings.md": settings_page(Settings.model_json_schema(by_alias=True), example),
        "reference-commands.md": commands_page(app, EXAMPLES),
        "reference-answers.md": answers.answers_page(),
        answers.SCHEMAS: answers.schemas_text(),
        "licences.md": _LICENCES + licences,
    }
    for title, modules in API.items():
        heading = "Python API: " + title.replace("-", " ")
        pages[f"api-{title}.md"] = api_page(heading, modules)
    return pages
