"""A CSV source is accepted as it is, or refused with one line that says what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from data import taxi
from data.sources import csv as csv_source
from data.sources.csv import CsvSource, check_csv_example_gen_reads_alike, check_csv_source
from data.sources.personal_columns import find_personal_columns, sample_columns
from data.sources.sample import read_sample
from fareline.errors import DataError
from fareline.packages import CHECKOUT

FILE_OR_FOLDER = "expected a CSV file or a folder of *.csv"
WITH_HEADER = "expected a UTF-8 CSV file with the column names in its first line"


def write(folder, name, content):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refusal(path, required=()):
    with pytest.raises(DataError) as caught:
        check_csv_source(path, required)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is accepted.


def test_one_file(tmp_path):
    file = write(tmp_path, "trips.txt", "fare,tips\n1,2\n")
    write(tmp_path, "other.csv", "unrelated\n1\n")
    assert check_csv_source(file, ["tips"]) == CsvSource(
        input_base=tmp_path, pattern="trips.txt", files=(file,), header=("fare", "tips")
    )


def test_folder_takes_its_csv_files_in_order(tmp_path):
    second = write(tmp_path, "b.csv", "fare,tips\n1,2\n")
    first = write(tmp_path, "a.csv", "fare,tips\n3,4\n")
    write(tmp_path, "notes.md", "not data")
    assert check_csv_source(tmp_path, ["fare"]) == CsvSource(
        input_base=tmp_path, pattern="*.csv", files=(first, second), header=("fare", "tips")
    )


def test_a_files_name_is_not_a_pattern(tmp_path):
    file = write(tmp_path, "trips[1].csv", "fare\n1\n")
    write(tmp_path, "trips1.csv", "fare\n2\n")
    found = check_csv_source(file, [])
    assert list(tmp_path.glob(found.pattern)) == [file]


def test_quoted_line_breaks_in_header_and_row(tmp_path):
    file = write(tmp_path, "a.csv", 'id,"long\nname","a,b"\r\n1,"x\ny",2\r\n')
    assert check_csv_source(file, []).header == ("id", "long\nname", "a,b")


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    file = write(tmp_path, "a.csv", b"\xef\xbb\xbffare,tips\n1,2\n")
    assert check_csv_source(file, ["fare"]).header == ("fare", "tips")


def test_only_the_first_lines_are_read(tmp_path):
    # A byte that is not UTF-8 a megabyte into the file goes unnoticed because it is never read.
    file = write(tmp_path, "a.csv", b"fare\n" + b"1\n" * 500_000 + b"\xff\n")
    assert check_csv_source(file, ["fare"]).header == ("fare",)


# What is refused.


def test_missing_path(tmp_path):
    assert refusal(tmp_path / "no.csv") == (
        f"{tmp_path / 'no.csv'}: there is no such file or folder; {FILE_OR_FOLDER}. "
        "Hint: check the source's path."
    )


def test_unreadable_file(tmp_path, monkeypatch):
    file = write(tmp_path, "a.csv", "fare\n1\n")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    # Not chmod: a test run as root may read everything.
    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(file) == (
        f"{file}: cannot be read (Permission denied); {WITH_HEADER}. "
        "Hint: check the path and its permissions."
    )


def test_unreadable_folder(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert refusal(tmp_path) == (
        f"{tmp_path}: cannot be read (Permission denied); {FILE_OR_FOLDER}. "
        "Hint: check the path and its permissions."
    )


def test_folder_that_is_named_like_a_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert refusal(tmp_path) == (
        f"{tmp_path / 'a.csv'}: cannot be read (Is a directory); {WITH_HEADER}. "
        "Hint: check the path and its permissions."
    )


def test_folder_without_csv_files(tmp_path):
    write(tmp_path, "data.parquet", "")
    assert refusal(tmp_path) == (
        f"{tmp_path}: the folder holds no file named *.csv; {FILE_OR_FOLDER}. "
        "Hint: put the files directly into the folder, with names that end in .csv."
    )


@pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, content):
    file = write(tmp_path, "a.csv", content)
    assert refusal(file) == (
        f"{file}: the file is empty; {WITH_HEADER}. Hint: export the file again, with its header."
    )


def test_blank_first_line(tmp_path):
    file = write(tmp_path, "a.csv", "\nfare\n1\n")
    assert refusal(file) == (
        f"{file}: the first line is blank; {WITH_HEADER}. "
        "Hint: export the file again, with its header."
    )


@pytest.mark.parametrize("content", ["fare,tips", "fare,tips\n", "fare,tips\n\n\n"])
def test_header_only(tmp_path, content):
    write(tmp_path, "a.csv", "fare,tips\n1,2\n")
    file = write(tmp_path, "b.csv", content)
    assert refusal(tmp_path) == (
        f"{file}: the file has a header and no row; expected at least one row. "
        "Hint: export the file again, or take it out of the source."
    )


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("fare,miles", "the header lacks 'tips' and adds 'miles'"),
        ("fare", "the header lacks 'tips'"),
        ("fare,tips,tolls,extras", "the header adds 'tolls', 'extras'"),
        ("tips,fare", "the header has the same columns in another order"),
    ],
)
def test_headers_that_differ(tmp_path, header, found):
    write(tmp_path, "a.csv", "fare,tips\n1,2\n")
    file = write(tmp_path, "b.csv", f"{header}\n1\n")
    assert refusal(tmp_path) == (
        f"{file}: {found}; expected the header of a.csv. "
        "Hint: give all files of a source the same columns in the same order."
    )


def test_required_columns_absent_names_all_with_their_nearest(tmp_path):
    file = write(tmp_path, "a.csv", "fares,trip_mile,payment\n1,2,Cash\n")
    assert refusal(file, ["trip_miles", "payment", "fare", "fare"]) == (
        f"{file}: lacks the required columns 'trip_miles', 'fare'; "
        "expected them among the columns found (3). "
        "Hint: nearest to 'trip_miles' is 'trip_mile'; nearest to 'fare' is 'fares'."
    )


def test_one_required_column_absent(tmp_path):
    write(tmp_path, "a.csv", "Tips fare\n1 2\n")
    assert refusal(tmp_path, ["tips"]) == (
        f"{tmp_path}: lacks the required column 'tips'; expected it among the columns found (1). "
        "Hint: nearest to 'tips' is 'Tips fare'."
    )


def test_repeated_columns(tmp_path):
    file = write(tmp_path, "a.csv", "fare,tips,fare,tips,miles\n1,2,3,4,5\n")
    assert refusal(file, ["fare"]) == (
        f"{file}: the header repeats 'fare', 'tips'; expected each column name once. "
        "Hint: rename or drop the repeated columns."
    )


def test_header_that_is_not_utf8(tmp_path):
    file = write(tmp_path, "a.csv", "caf\u00e9,fare\n1,2\n".encode("latin-1"))
    assert refusal(file) == (
        f"{file}: not UTF-8 text (byte 0xe9); {WITH_HEADER}. "
        "Hint: convert it, for example with iconv -f WINDOWS-1252 -t UTF-8, or set "
        "data.source.csv_format.encoding: windows-1252."
    )


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("length", [131_072, 131_073, 9 << 20])
def test_a_long_first_cell_is_what_the_reader_says(tmp_path, length, quote):
    file = write(tmp_path, "a.csv", f"fare,tips\n{quote}{'x' * length}{quote},1\n2,3\n")
    found = check_csv_source(file, ["fare"])
    sample = read_sample(file, {})
    assert (found.header, sample.rows, sample.bad) == (("fare", "tips"), 2, [])
    assert len(next(iter(sample.columns()))["fare"][0].as_py()) == length
    if length > 131_072:
        with pytest.raises(DataError, match=r"CsvExampleGen cannot read the first row \(field lar"):
            check_csv_example_gen_reads_alike(found)
    else:
        check_csv_example_gen_reads_alike(found)
    # What is behind it is looked at as well.
    people = "".join(f"p{i}@example.org,{i}\n" for i in range(9))
    file = write(tmp_path, "b.csv", f"who,note\nx@example.org,{'x' * length}\n{people}")
    assert find_personal_columns(sample_columns([file])) == {"who": "e-mail addresses"}


def test_an_unclosed_quote_in_the_first_row_is_no_long_cell(tmp_path):
    file = write(tmp_path, "a.csv", 'fare,tips\n"1,2\n' + "1,2\n" * 100_000)
    assert refusal(file) == (
        f"{file}: not CSV (field larger than field limit (131072)); {WITH_HEADER}. "
        "Hint: look for an unclosed quote in the first lines."
    )


def test_unclosed_quote_is_not_read_to_the_end(tmp_path):
    file = write(tmp_path, "a.csv", '"fare,tips\n' + "1,2\n" * 100_000)
    assert refusal(file) == (
        f"{file}: not CSV (field larger than field limit (131072)); {WITH_HEADER}. "
        "Hint: look for an unclosed quote in the first lines."
    )


# What TFX would read differently.


@pytest.mark.parametrize(
    ("content", "name", "tfx_name"),
    [
        (b"\xef\xbb\xbffare,tips\n1,2\n", "fare", "\ufefffare"),
        (b'fare,"tips"\n1,2\n', "tips", '"tips"'),
        (b'"a,b",c\n1,2\n', "a,b", '"a'),
        (b"fare,tips\r1,2\r", "tips", "tips\r1"),
    ],
)
def test_header_that_tfx_would_misread(tmp_path, content, name, tfx_name):
    file = write(tmp_path, "a.csv", content)
    with pytest.raises(DataError) as caught:
        check_csv_example_gen_reads_alike(check_csv_source(file, []))
    assert str(caught.value) == (
        f"{file}: TFX's CsvExampleGen would read the column {name!r} as {tfx_name!r}; "
        "expected a header without quotes and without a byte order mark. "
        "Hint: save the file as plain UTF-8, with unquoted column names in the first line."
    )


def test_plain_header_reads_alike(tmp_path):
    file = write(tmp_path, "a.csv", 'fare,tips\r\n1,"a\nb"\r\n')
    check_csv_example_gen_reads_alike(check_csv_source(file, []))


# The taxi sample.


def test_the_taxi_sample_is_a_fit_source():
    source = check_csv_source(taxi.taxi_csv_path(), ["tips", "fare", "trip_miles"])
    check_csv_example_gen_reads_alike(source)
    assert source.pattern == "data.csv"
    assert len(source.header) == 18


def test_finding_the_taxi_sample_imports_neither_tfx_nor_tensorflow():
    script = (
        "import sys; from data import taxi\nfrom data.sources import csv as source\n"
        "source.check_csv_source(taxi.taxi_csv_path(), ['tips'])\n"
        "assert not {'tfx', 'tensorflow', 'pandas', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, timeout=60)


def test_taxi_without_tfx(monkeypatch):
    monkeypatch.setattr(taxi.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError) as caught:
        taxi.taxi_csv_path()
    assert str(caught.value) == (
        "taxi data: the package tfx, which ships it, is not installed in this Python; "
        "expected the environment that the set-up made. "
        "Hint: run the set-up, or name your own CSV as the source."
    )


def test_taxi_in_a_tfx_without_examples(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(taxi.importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(DataError) as caught:
        taxi.taxi_csv_path()
    path = tmp_path / "examples/chicago_taxi_pipeline/data/simple/data.csv"
    assert str(caught.value) == (
        f"taxi data: there is no file {path}; expected the sample that the package tfx ships. "
        "Hint: reinstall tfx, or name your own CSV as the source."
    )


def test_source_is_frozen(tmp_path):
    source = csv_source.CsvSource(tmp_path, "*.csv", (), ())
    with pytest.raises(AttributeError):
        source.pattern = "*"


def test_a_folder_that_tfx_would_read_as_a_pattern_is_refused(tmp_path):
    folder = tmp_path / "run[1]"
    folder.mkdir()
    (folder / "trips.csv").write_text("fare\n1.5\n")
    source = check_csv_source(folder, ["fare"])
    with pytest.raises(DataError) as caught:
        check_csv_example_gen_reads_alike(source)
    assert str(caught.value) == (
        f"{folder}: its path holds one of * ? [; expected a path that TFX does not read as a "
        "pattern. Hint: rename the folder."
    )
