"""Rules that hold before a run starts: one small function per rule, each returns problems.

Called by runners. Imports neither TFX nor TensorFlow, so that a mistake is answered at once.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping

from data.sources.span_patterns import has_span
from fareline.near import near_names
from lineage.text.harmless import plain
from pipeline.rules.bigquery import names_span
from pipeline.rules.code import find_code_mistakes
from pipeline.rules.drift import find_drift_mistakes
from pipeline.rules.evaluation import (
    find_bucketed_texts,
    find_evaluation_mistakes,
    find_mistakes_of_own_slices,
)
from pipeline.rules.gate import find_gate_mistakes
from pipeline.rules.model import find_model_mistakes
from pipeline.rules.push import find_push_mistakes
from pipeline.rules.weighting import find_weighting_mistakes
from pipeline.settings.settings import Settings
from schema import curated
from schema.curated import column_types, columns_in_environment, load_schema, schema_path

NUMBERS = ("int", "float")
# Which raw types each kind of feature can take.
KIND_TYPES = {
    "numeric": NUMBERS,
    "bucketized": NUMBERS,
    "vocabulary": ("bytes", "int"),
    "categorical": ("int",),
}
# Whole numbers with gaps are floats in pandas, and so in files that it writes. DataGate looks at
# the values, and takes 2.0 as 2.
WHOLE = ("features.vocabulary.", "features.categorical.")


def check_settings(settings: Settings) -> None:
    """Applies every rule about the settings, with the curated schema if they name one.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    if settings.schema_ is None:
        require_no_label_leak(settings)
        return
    contract = load_schema(schema_path(settings.schema_, settings.path.parent))
    types = column_types(contract)
    serving_columns = columns_in_environment(contract, "SERVING")
    require_sound_settings(settings, types, serving_columns, curated.column_values(contract))


def require_sound_settings(
    settings: Settings,
    types: Mapping[str, str],
    serving_columns: Collection[str],
    values: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Applies every rule about settings and schema.

    Args:
        settings: Valid in themselves.
        types: Column to `int`, `float` or `bytes`, as the schema says.
        serving_columns: Columns that the schema expects in the SERVING environment.
        values: Column to the only texts that the schema allows, where it names them.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    problems = [
        *find_impossible_names(settings),
        *find_unknown_columns(settings, types),
        *find_unfit_types(settings, types),
        *find_unknown_label_values(settings, values or {}),
        *find_label_leaks(settings),
        *find_spans_without_pattern(settings),
        *find_uses_of_dropped_columns(settings),
        *find_pseudonyms_of_numbers(settings, types),
        *find_features_that_are_pseudonyms(settings),
        *find_features_absent_in_serving(settings, types, serving_columns),
        *find_bucketed_texts(settings.evaluation, types),
        *find_evaluation_mistakes(settings.evaluation, settings.task),
        *find_mistakes_of_own_slices(settings.evaluation, settings.code.slices, types),
        *find_gate_mistakes(settings, types),
        *find_drift_mistakes(settings, types),
        *find_weighting_mistakes(settings),
        *find_code_mistakes(settings),
        *find_model_mistakes(settings),
        *find_push_mistakes(settings),
    ]
    _refuse(settings, problems)


def require_no_label_leak(settings: Settings) -> None:
    """Applies the rules that need no schema, where the schema is yet to be inferred.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    mistakes = find_evaluation_mistakes(settings.evaluation, settings.task)
    others = [
        *find_impossible_names(settings),
        *find_spans_without_pattern(settings),
        *find_uses_of_dropped_columns(settings),
        *find_mistakes_of_own_slices(settings.evaluation, settings.code.slices, ()),
    ]
    others += [*find_gate_mistakes(settings), *find_drift_mistakes(settings, ())]
    others += [*find_weighting_mistakes(settings), *find_features_that_are_pseudonyms(settings)]
    others += [*find_code_mistakes(settings), *find_model_mistakes(settings)]
    others += find_push_mistakes(settings)
    _refuse(settings, [*find_label_leaks(settings), *others, *mistakes])


def _refuse(settings: Settings, problems: list[str]) -> None:
    if problems:
        # A name may have line ends.
        raise settings.wrong(plain(line, limit=None) for line in problems)


def find_impossible_names(settings: Settings) -> Iterator[str]:
    """A column has a name that fits into one line of text."""
    everywhere = [(f"data.columns.{name}", name) for name in settings.data.columns]
    everywhere += [(f"drift.columns.{name}", name) for name in settings.drift.columns]
    for where, column in (*_named_columns(settings), *everywhere):
        halves = any("\ud800" <= character <= "\udfff" for character in column)
        if not column or halves or any(character in column for character in "\0\n\r"):
            found = repr(column) if column else "an empty name"
            expected = "in Unicode" if halves else "without line ends and NUL"
            yield (
                f"{where}: found {found}; expected the name of a column, {expected}. "
                "Hint: rename the column in the data."
            )


def find_unknown_columns(settings: Settings, types: Mapping[str, str]) -> Iterator[str]:
    """Every column that the settings name is in the schema."""
    for where, column in _named_columns(settings):
        if column not in types:
            near = near_names(column, types)
            hint = f"did you mean {near[0]}" if near else f"the schema has {', '.join(types)}"
            yield (
                f"{where}: no column {column} in the schema; expected one of its columns. "
                f"Hint: {hint}."
            )


def find_unfit_types(settings: Settings, types: Mapping[str, str]) -> Iterator[str]:
    """A kind of feature gets a type that it can take; the label rule and weights get numbers."""
    for use in uses_of_types(settings):
        fit = (*use.fit, "float") if use.setting.startswith(WHOLE) else use.fit
        if use.column in types and types[use.column] not in fit:
            yield (
                f"{use.setting}: {use.column} is {types[use.column]} in the schema; expected "
                f"{' or '.join(use.fit)}. Hint: {use.hint}."
            )


@dataclasses.dataclass(frozen=True)
class Use:
    """The use of a column by a setting.

    Attributes:
        setting: Its path.
        column: Raw column.
        fit: The types that it can take, of `int`, `float` and `bytes`.
        hint: Advice for another type.
    """

    setting: str
    column: str
    fit: tuple[str, ...]
    hint: str


def uses_of_types(settings: Settings) -> list[Use]:
    """Every use of a column that cannot take each type."""
    kind_hint = "use it as another kind of feature"
    uses = [
        Use(where, column, KIND_TYPES[where.split(".")[1]], kind_hint)
        for where, column in settings.features.columns()
    ]
    label_hint = "name values as the column holds them, or another column"
    uses += [Use(*use, label_hint) for use in _label_uses(settings)]
    split_by = settings.data.split_by
    if split_by is not None and split_by.time is not None:
        starts = set(map(type, split_by.starts.values()))
        fit = {str: ("bytes",), float: NUMBERS}
        types = fit[starts.pop()] if starts else (*NUMBERS, "bytes")
        hint = "split by another column, or write data.split_by.starts as it has its times"
        uses.append(Use("data.split_by.time", split_by.time, types, hint))
    uses += [Use(*use, NUMBERS, "weigh by another column") for use in _weight_column(settings)]
    return uses


def _label_uses(settings: Settings) -> list[tuple[str, str, tuple[str, ...]]]:
    """The columns of the label rule, each with the types that it can take."""
    label = settings.label
    values = label.values()
    if not values:
        return [(where, column, NUMBERS) for where, column in _label_columns(settings)]
    return [
        (where, label.column, ("bytes",) if isinstance(value, str) else ("int",))
        for where, value in values[:1]  # they are all of one kind
    ]


def find_unknown_label_values(
    settings: Settings, values: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """A value of the label that the schema does not allow is one that no row has."""
    column = settings.label.column
    if column not in values:
        return
    known = values[column]
    for where, value in settings.label.values():
        if isinstance(value, str) and value not in known:
            near = near_names(value, known)
            hint = f"did you mean {near[0]}" if near else "correct the value, or the schema"
            yield (
                f"{where}: found {value!r}, which the schema does not allow in {column}; expected "
                f"one of {', '.join(known)}. Hint: {hint}."
            )


def find_label_leaks(settings: Settings) -> Iterator[str]:
    """The column of the label is not a feature, since it would reveal the label."""
    for where, column in settings.features.columns():
        if column == settings.label.column:
            yield (
                f"{where}: {column} makes the label; expected a column that is known when a "
                "prediction is asked for. Hint: remove it from the features."
            )


def find_spans_without_pattern(settings: Settings) -> Iterator[str]:
    """A span or a window is asked of a source that has spans."""
    source = settings.data.source
    if has_span(source.path or "") or (source.bigquery and names_span(source.bigquery.query)):
        return
    is_query = source.sql is not None or source.bigquery is not None
    hint = (
        "put the condition into the query"
        if is_query
        else ("write for example csv: trips/span-{SPAN}/*.csv")
    )
    for name, value, default in (
        ("span", settings.data.span, None),
        ("window", settings.data.window, 1),
    ):
        if value != default:
            yield (
                f"data.{name}: found {value}, and data.source has no spans; expected a source with "
                f"{{SPAN}} or a date in its path. Hint: {hint}, or leave it out."
            )


def find_uses_of_dropped_columns(settings: Settings) -> Iterator[str]:
    """Personal columns that are left out are not used."""
    dropped = settings.data.personal_columns(pseudonymize=False)
    entity = [("feedback.entity", settings.feedback.entity)] if settings.feedback.entity else []
    for where, column in (*_named_columns(settings), *entity):
        if column in dropped:
            more = f", or set data.columns.{column}.pseudonymize"
            yield (
                f"{where}: {column} is personal and left out of the Examples; expected another "
                f"column. Hint: remove it here{more * (not where.startswith('features.'))}."
            )


def find_pseudonyms_of_numbers(settings: Settings, types: Mapping[str, str]) -> Iterator[str]:
    """A pseudonym is a text, so the schema has it as one."""
    for column in settings.data.personal_columns(pseudonymize=True):
        if types.get(column, "bytes") != "bytes":
            yield (
                f"data.columns.{column}: it is {types[column]} in the schema; expected bytes, "
                "since a pseudonym is a text. Hint: correct the schema, or leave the column out."
            )


def require_no_features_that_are_pseudonyms(settings: Settings) -> None:
    """Refuses to ask a model of such features, where nothing else of the settings is checked.

    Raises:
        SettingsError: There are such features; one line per feature.
    """
    _refuse(settings, list(find_features_that_are_pseudonyms(settings)))


def find_features_that_are_pseudonyms(settings: Settings) -> Iterator[str]:
    """A model is trained on what requests carry: they carry the value, and no server has the key.

    Rows may be split, weighed, sliced and joined by pseudonyms, since that is done where they are.
    """
    pseudonyms = settings.data.personal_columns(pseudonymize=True)
    for where, column in settings.features.columns():
        if column in pseudonyms:
            yield (
                f"{where}: {column} is a pseudonym in the Examples, and requests have the value "
                "itself; expected a column that is the same in both. Hint: remove it from the "
                "features; data.split_by and evaluation.slices may name it."
            )


def find_features_absent_in_serving(
    settings: Settings, types: Mapping[str, str], serving_columns: Collection[str]
) -> Iterator[str]:
    """A feature can be there when a prediction is asked for."""
    for where, column in settings.features.columns():
        if column in types and column not in serving_columns and column != settings.label.column:
            yield (
                f"{where}: {column} is not in the SERVING environment of the schema; expected "
                "a column that requests carry. Hint: remove it, or correct the schema."
            )


def curated_types(settings: Settings) -> dict[str, str]:
    """Column to `int`, `float` or `bytes`, as the curated schema says; there is one."""
    return column_types(load_schema(schema_path(settings.schema_, settings.path.parent)))


def column_kinds(settings: Settings) -> dict[str, str]:
    """Column to `int`, `float` or `string`, as the curated schema says; empty without one."""
    if settings.schema_ is None:
        return {}
    return curated.column_kinds(load_schema(schema_path(settings.schema_, settings.path.parent)))


def required_columns(settings: Settings) -> list[str]:
    """Every column that the settings name, each once, in order of first use."""
    return list(dict.fromkeys(column for _, column in _named_columns(settings)))


def single_valued_columns(settings: Settings) -> list[str]:
    """The columns that are used as one value a row: all but those of slices and of hashes."""
    used = [*settings.features.columns(), *_label_columns(settings), *_weight_column(settings)]
    used += [(w, c) for w, c in _split_columns(settings) if w == "data.split_by.time"]
    return list(dict.fromkeys(column for _, column in used))


def _named_columns(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from _split_columns(settings)
    yield from settings.features.columns()
    yield from _label_columns(settings)
    yield from _weight_column(settings)
    for i, parts in enumerate(settings.evaluation.columns_of_slices()):
        for column, _ in parts:
            if column not in settings.code.slices:
                yield f"evaluation.slices.{i}", column


def _split_columns(settings: Settings) -> Iterator[tuple[str, str]]:
    split_by = settings.data.split_by
    if split_by is not None and split_by.time is not None:
        yield "data.split_by.time", split_by.time
    elif split_by is not None:
        for i, column in enumerate(split_by.hash or ()):
            yield f"data.split_by.hash.{i}", column


def _label_columns(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "label.column", settings.label.column
    if settings.label.above:
        yield "label.above.column", settings.label.above.column


def _weight_column(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.weighting.column is not None:
        yield "weighting.column", settings.weighting.column
