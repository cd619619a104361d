"""Determines the kind of a column from its facts, with evidence: one small function per kind.

The first certain kind wins. Called by `data.profile.profile`.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from data.profile import names
from data.profile.facts import LIST, OTHER, Facts
from data.profile.times import are_days, unit_of_epoch
from data.reading.batches import UNKNOWN
from data.sources.personal_columns import find_personal_columns
from fareline.kinds import INT, STRING

NUMBER, CATEGORY, CODED, BOOLEAN = "number", "category", "coded category", "boolean"
TIME, TEXT, IDENTIFIER, CONSTANT = "time", "text of many values", "identifier", "constant"
PERSONAL, LEAK, AFTERWARDS, LABEL = "personal", "leak", "known only afterwards", "label"
UNUSABLE = "of no use"
FEATURES = (NUMBER, CATEGORY, CODED, BOOLEAN)
HIGH, MEDIUM, LOW = "high", "medium", "low"
_BOOLEANS = (
    {"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"on", "off"}, {"ja", "nein"},
    {"j", "n"}, {"oui", "non"}, {"si", "no"}, {"sí", "no"}, {"0", "1"}, {"wahr", "falsch"},
    {"present", "absent"}, {"with", "without"},
)  # fmt: skip
_DEVICE = re.compile(r"\d{1,3}(\.\d{1,3}){3}|([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
_FAMILY = 6  # columns that differ by a number alone


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The kind of a column.

    Attributes:
        kind: One of the names above.
        confidence: `high`, `medium` or `low`.
        evidence: Why, in words.
    """

    kind: str
    confidence: str
    evidence: str

    @property
    def is_feature(self) -> bool:
        """Whether a model may learn from the column."""
        return self.kind in FEATURES


def judge(facts: Facts, families: Mapping[str, int]) -> Judgement:
    """The kind of a column, independent of the label.

    Args:
        facts: Facts of the column.
        families: Stem of a name to how many columns have it.
    """
    for rule in _RULES:
        found = rule(facts, families)
        if found is not None:
            return found
    raise AssertionError(facts)


def families_of(columns: Sequence[str]) -> dict[str, int]:
    """Number of columns whose names differ only in digits."""
    return Counter(map(names.stem_of, columns))


def _unusable(facts: Facts, _: Mapping[str, int]) -> Judgement | None:
    if facts.type == LIST:
        return Judgement(UNUSABLE, HIGH, "several values in a row")
    if facts.type == OTHER:
        return Judgement(UNUSABLE, HIGH, "examples have no form for such values")
    return None


def _constant(facts: Facts, _: Mapping[str, int]) -> Judgement | None:
    if facts.distinct == 0 or facts.type == UNKNOWN:
        return Judgement(CONSTANT, HIGH, "no row has a value")
    if facts.distinct == 1 and facts.missing < 0.01 * facts.rows:
        return Judgement(CONSTANT, HIGH, "one value in all rows")
    return None


def _personal(facts: Facts, _: Mapping[str, int]) -> Judgement | None:
    said = names.sounds_personal(facts.name)
    if said is not None and facts.distinct > 2:
        return Judgement(PERSONAL, HIGH, f"by its name {said}")
    has_cards = facts.type == INT and facts.low >= 10**12
    if facts.type != STRING and not has_cards:
        return None
    looked = [str(value) for value in list(facts.counts)[:500]]
    if sum(map(bool, map(_DEVICE.fullmatch, looked))) > 0.8 * len(looked):
        return Judgement(PERSONAL, HIGH, "its values are addresses of devices")
    looks = find_personal_columns({facts.name: looked}).get(facts.name)
    if looks == "names":
        many = facts.distinct > max(20, 0.1 * facts.present)
        if not many or names.names_a_thing(facts.name):
            return None
        return Judgement(PERSONAL, MEDIUM, "by its name those of persons")
    return Judgement(PERSONAL, HIGH, f"its values are {looks}") if looks else None


def _time(facts: Facts, _: Mapping[str, int]) -> Judgement | None:
    if facts.is_time:
        return Judgement(TIME, HIGH, "the file says so")
    if facts.type == STRING:
        if facts.times > 0.9:
            return Judgement(TIME, HIGH, "written as days or times")
        return None
    if not facts.is_whole or facts.distinct < 3:
        return None
    unit = unit_of_epoch(facts.low, facts.high)
    if unit and names.sounds_like_time(facts.name):
        return Judgement(TIME, HIGH, f"{unit} since 1970, by its name and range")
    if are_days(facts.low, facts.high, list(facts.counts)):
        return Judgement(TIME, HIGH, "days such as 20240131")
    if unit and facts.distinct > 0.5 * facts.present and facts.present >= 50:
        return Judgement(TIME, LOW, f"{unit} since 1970, by its range")
    return None


def _boolean(facts: Facts, families: Mapping[str, int]) -> Judgement | None:
    if facts.distinct != 2:
        return None
    values = {_text(value) for value in facts.counts}
    if values in _BOOLEANS and families.get(names.stem_of(facts.name), 0) < _FAMILY:
        return Judgement(BOOLEAN, HIGH, f"two values: {_listed(facts)}")
    return None


def _identifier(facts: Facts, families: Mapping[str, int]) -> Judgement | None:
    by_name = names.sounds_like_id(facts.name)
    all_differ = facts.distinct == facts.present and facts.present >= 20
    share = facts.distinct / max(facts.present, 1)
    if facts.type == STRING:
        if facts.words > 2.5 and not by_name:
            return None
        if all_differ or (share > 0.95 and facts.distinct > 50):
            return Judgement(IDENTIFIER, HIGH, _differing(facts, by_name))
    elif not facts.is_whole:
        return None
    elif all_differ:
        steps = np.unique(np.diff(np.sort(facts.numbers())))
        if by_name or (len(steps) == 1 and steps[0] == 1):
            why = "" if by_name else ", one after the other"
            return Judgement(IDENTIFIER, HIGH, _differing(facts, by_name) + why)
    if by_name and facts.distinct > max(50, 0.05 * facts.present):
        return Judgement(IDENTIFIER, MEDIUM, f"its name, and {facts.distinct:,} different values")
    return None


def _differing(facts: Facts, by_name: bool) -> str:
    if facts.distinct == facts.present:
        return f"another value in each row{', and its name' * by_name}"
    return f"{facts.distinct:,} different values in {facts.present:,} rows"


def _texts(facts: Facts, _: Mapping[str, int]) -> Judgement | None:
    if facts.type != STRING:
        return None
    few = max(20, 0.2 * facts.present)
    if facts.distinct <= min(few, 5_000) and facts.length <= 60:
        sure = HIGH if facts.distinct <= 50 else MEDIUM
        return Judgement(CATEGORY, sure, f"{facts.distinct:,} different texts: {_listed(facts)}")
    words = f", {facts.words:.0f} words each" if facts.words >= 2 else ""
    return Judgement(TEXT, HIGH, f"{facts.distinct:,} different texts{words}")


def _numbers(facts: Facts, families: Mapping[str, int]) -> Judgement | None:
    if not facts.is_whole:
        return Judgement(NUMBER, HIGH, f"fractions, from {facts.low:g} to {facts.high:g}")
    code = _why_code(facts, families)
    if code is not None:
        return code
    reach = f"whole numbers from {facts.low:g} to {facts.high:g}"
    sure = HIGH if facts.distinct > 30 or names.sounds_like_amount(facts.name) else MEDIUM
    return Judgement(NUMBER, sure, f"{facts.distinct:,} {reach}")


def _why_code(facts: Facts, families: Mapping[str, int]) -> Judgement | None:
    """Whether whole numbers are rather names, and why."""
    count, by_name = facts.distinct, names.sounds_like_code(facts.name)
    values = np.array(sorted(facts.counts), float) if count <= len(facts.counts) else None
    told = f"{count:,} different whole numbers"
    if facts.padded and facts.padded >= 0.005 * facts.present:
        return Judgement(CODED, HIGH, f"numbers that begin with 0, {told}")
    if names.sounds_like_id(facts.name):
        return Judgement(CODED, HIGH, f"an identifier of few things: {told}")
    digits = _digits(facts)
    if by_name and (count <= 200 or digits):
        why = f", all of {digits} digits" if digits else ""
        return Judgement(CODED, HIGH, f"its name, {told}{why}")
    if names.sounds_like_amount(facts.name) or values is None:
        return None
    if families.get(names.stem_of(facts.name), 0) >= _FAMILY:
        return None  # one measurement of many
    if facts.present < 5 * count:
        return None
    if count <= 10 and facts.low >= 1 and facts.high <= 12 and _is_dense(values):
        return Judgement(CODED, MEDIUM, f"{told}, from {facts.low:g} to {facts.high:g}")
    if count <= 12 and facts.low == 0 and _is_dense(values) and not _look_counted(facts, values):
        return Judgement(CODED, MEDIUM, f"{told}, from 0, as frequent as no counts are")
    if count == 2:
        return Judgement(CODED, MEDIUM, f"two whole numbers: {_listed(facts)}")
    if count <= 300 and facts.present >= 10 * count and _are_scattered(values):
        return Judgement(CODED, MEDIUM, f"{told}, scattered from {facts.low:g} to {facts.high:g}")
    return None


def _digits(facts: Facts) -> int:
    """How many digits all numbers have, if it is the same number, and four or more; else 0."""
    if facts.low is None or facts.low < 1000:
        return 0
    low, high = len(str(int(facts.low))), len(str(int(facts.high)))
    return low if low == high else 0


def _is_dense(values: np.ndarray) -> bool:
    return len(values) >= 0.6 * (values[-1] - values[0] + 1)


def _look_counted(facts: Facts, values: np.ndarray) -> bool:
    """Whether whole numbers from 0 are as frequent as counts: one peak, and few large ones."""
    rows = np.array([facts.counts[int(value)] for value in values], float)
    noise = 3 * np.sqrt(rows.max())
    peak = int(rows.argmax())
    rises = np.diff(rows[: peak + 1]) >= -noise
    falls = np.diff(rows[peak:]) <= noise
    return bool(rises.all() and falls.all() and rows[-1] < 0.5 * rows.max())


def _are_scattered(values: np.ndarray) -> bool:
    """Whether numbers lie as no measurement does: wide apart, in steps of no common size."""
    if len(values) < 4:
        return False
    steps = np.diff(values)
    common = np.gcd.reduce(steps.astype(np.int64))
    return bool((values[-1] - values[0]) > 10 * len(values) and np.median(steps) > 5 * common)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()


def _listed(facts: Facts) -> str:
    values = [str(value) for value in list(facts.counts)[:3]]
    values = [value if len(value) <= 20 else f"{value[:17]}..." for value in values]
    return ", ".join(values) + ", …" * (facts.distinct > 3)


_RULES: tuple[Callable[[Facts, Mapping[str, int]], Judgement | None], ...] = (
    _unusable, _constant, _personal, _time, _boolean, _identifier, _texts, _numbers,
)  # fmt: skip


def is_int_like(facts: Facts) -> bool:
    """Whether the column is read as whole numbers."""
    return facts.type == INT or facts.is_whole
