"""Personal columns: what becomes of their values, in good rows and in bad ones."""

import hashlib

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from data.privacy import WITHHELD, Privacy, key_id, protect, pseudonym, require_key
from data.reading.batches import Batch
from data.reading.rows import BadRow
from data.reading.values import Fault
from fareline.errors import DataError, SettingsError
from pipeline.rules.settings import (
    check_settings,
    find_pseudonyms_of_numbers,
    find_uses_of_dropped_columns,
)
from pipeline.settings.load import load_settings
from runners import pii_key

KEY = b"0123456789abcdef0123456789abcdef"
COLUMNAR = "data.reader=columnar"


def by_rfc_2104(value, key):
    """HMAC-SHA-256 as it is defined, without the module."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + value).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest().encode()


def test_a_pseudonym_is_the_hmac_of_the_value():
    assert pseudonym(b"ann@example.org", KEY) == by_rfc_2104(b"ann@example.org", KEY)


def test_dropped_columns_go_and_pseudonyms_stand_for_equal_values():
    batch = Batch(
        "f.csv",
        {
            "x": pa.array([1, 2, 3]),
            "mail": pa.array([b"a", None, b"a"], pa.large_binary()),
            "card": pa.array([7, 8, None]),
            "tags": pa.array([[b"p", b"q"], [], [b"p"]], pa.large_list(pa.large_binary())),
            "none": pa.nulls(3),
            "name": pa.array([b"n", b"n", b"n"], pa.large_binary()),
        },
        3,
    )
    found = protect(batch, Privacy(("name",), ("mail", "card", "tags", "none")), KEY)
    a, p, q = (by_rfc_2104(value, KEY) for value in (b"a", b"p", b"q"))
    assert {name: array.to_pylist() for name, array in found.columns.items()} == {
        "x": [1, 2, 3],
        "mail": [a, None, a],
        "card": [by_rfc_2104(b"7", KEY), by_rfc_2104(b"8", KEY), None],
        "tags": [[p, q], [], [p]],
        "none": [None, None, None],
    }
    assert found.rows == 3


def test_bad_rows_say_where_and_why_and_withhold_the_values():
    bad = [
        BadRow(3, Fault("not_a_number", "x: 'abc': expected a number"), {"x": "abc", "mail": "m"}),
        BadRow(4, Fault("not_utf8", "mail: secret: expected UTF-8"), {"x": "1", "mail": "secret"}),
        BadRow(5, Fault("wrong_number_of_fields", "3 fields; expected 2"), "1,secret,2"),
    ]  # fmt: skip
    found = protect(Batch("f", {"x": pa.array([1])}, 1, bad), Privacy(("mail",)), None).bad
    assert found == [
        BadRow(3, Fault("not_a_number", f"x: {WITHHELD}"), WITHHELD),
        BadRow(4, Fault("not_utf8", f"mail: {WITHHELD}"), WITHHELD),
        BadRow(5, Fault("wrong_number_of_fields", "3 fields; expected 2"), WITHHELD),
    ]


def test_without_personal_columns_nothing_changes():
    batch = Batch("f", {"x": pa.array([1])}, 1, [BadRow(1, Fault("a", "b"), "text")])
    assert protect(batch, Privacy(), None) is batch


def test_a_key_is_long_and_has_a_name_that_does_not_tell_it():
    assert require_key(KEY, "K") is KEY
    with pytest.raises(DataError, match="^K: has 31 characters; expected a secret of 32 or more, "):
        require_key(KEY[1:], "K")
    assert key_id(KEY) == by_rfc_2104(b"fareline: which key is this", KEY)[:12].decode()


def test_the_key_is_in_the_environment(monkeypatch):
    monkeypatch.delenv(pii_key.KEY_VARIABLE, raising=False)
    with pytest.raises(DataError, match="^FARELINE_PII_KEY: is not set; expected the key of the "):
        pii_key.read_pii_key()
    monkeypatch.setenv(pii_key.KEY_VARIABLE, KEY.decode())
    assert pii_key.read_pii_key() == KEY
    monkeypatch.setenv(pii_key.KEY_VARIABLE, "short")
    with pytest.raises(DataError) as caught:
        pii_key.read_pii_key()
    assert "short" not in str(caught.value)


def settings(*overrides):
    return load_settings(overrides=[COLUMNAR, *overrides])


def test_settings_tell_what_becomes_of_a_column():
    found = settings("data.columns={a: {pii: true}, b: {pii: true, pseudonymize: true}, c: {}}")
    assert found.data.personal_columns() == ["a", "b"]
    assert found.data.personal_columns(pseudonymize=False) == ["a"]
    assert found.data.personal_columns(pseudonymize=True) == ["b"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.columns={a: {pseudonymize: true}}", "expected pii: true where pseudonymize is true"),
        ("data.columns={a: {pi: true}}", "data.columns.a.pi: unknown setting; did you mean pii? "),
    ],
)
def test_settings_that_mean_nothing_are_refused(override, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        settings(override)


def test_tfx_s_reader_protects_nobody():
    with pytest.raises(ValueError, match="expected reader columnar where columns are personal"):
        load_settings(overrides=["data.reader=csv_example_gen", "data.columns={a: {pii: true}}"])


def test_a_column_that_is_left_out_is_used_for_nothing():
    found = settings(
        "data.columns={company: {pii: true}, fare: {pii: true, pseudonymize: true}}",
        "data.split_by={hash: [company]}",
    )
    said = "company is personal and left out of the Examples; expected another column. Hint: "
    assert list(find_uses_of_dropped_columns(found)) == [
        f"data.split_by.hash.0: {said}remove it here, or set data.columns.company.pseudonymize.",
        f"features.vocabulary.company: {said}remove it here.",
    ]
    assert list(find_pseudonyms_of_numbers(found, {"fare": "float"})) == [
        "data.columns.fare: it is float in the schema; expected bytes, since a pseudonym is a "
        "text. Hint: correct the schema, or leave the column out."
    ]
    assert list(find_pseudonyms_of_numbers(found, {"fare": "bytes"})) == []


@pytest.mark.parametrize("schema", ["taxi", "null"])
@pytest.mark.parametrize("kind", ["vocabulary", "categorical", "numeric", "bucketized"])
def test_no_feature_is_a_pseudonym(schema, kind, tmp_path):
    """Or the model would be asked about values of which it has learned the pseudonyms alone."""
    given = load_settings()
    name = next(iter(getattr(given.features, kind)))
    told = [f"schema={schema}", "data.reader=columnar"]
    personal = f"data.columns={{{name}: {{pii: true, pseudonymize: true}}}}"
    line = (
        f"features.{kind}.{name}: {name} is a pseudonym in the Examples, and requests have the "
        "value itself; expected a column that is the same in both. Hint: remove it from the "
        "features; data.split_by and evaluation.slices may name it."
    )
    with pytest.raises(SettingsError) as caught:
        check_settings(load_settings(overrides=[*told, personal]))
    assert line in str(caught.value)
    # A model that was trained before this was refused is asked nothing.
    config = tmp_path / "settings.yaml"
    text = yaml.safe_dump(
        load_settings(overrides=[*told, personal]).model_dump(mode="json", by_alias=True)
    )
    config.write_text(text)
    for command in (["serve"], ["predict", "--input", "no.csv", "--output", "no.csv"]):
        ran = CliRunner().invoke(app, [*command, "--config", str(config)])
        assert ran.exit_code != 0 and line in str(ran.exception) + ran.output


def test_rows_may_be_split_and_sliced_by_pseudonyms():
    check_settings(
        load_settings(
            overrides=[
                "schema=null",
                "data.reader=columnar",
                "data.columns={card: {pii: true, pseudonymize: true}}",
                "data.split_by={hash: [card]}",
                "evaluation.slices=[[card]]",
            ]
        )
    )


def test_no_request_log_holds_a_personal_column():
    found = settings(
        "serving.log_exclude=[tips]",
        "data.columns={company: {pii: true, pseudonymize: true}, mail: {pii: true}}",
    )
    assert found.unlogged_columns == {"tips", "company", "mail"}
