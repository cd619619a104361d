"""Content is named by SHA-256, the same way everywhere."""

import hashlib

import pytest

from fareline.digests import sha256_of_file, sha256_of_folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"2\r\n")
    (tmp_path / "one").write_bytes(b"1")
    return tmp_path


def test_a_file_is_named_by_its_bytes(folder):
    assert sha256_of_file(folder / "b" / "two") == hashlib.sha256(b"2\r\n").hexdigest()


def test_a_folder_is_named_by_sorted_paths_sizes_and_bytes(folder):
    expected = hashlib.sha256(b"b/two\x003\x002\r\none\x001\x001").hexdigest()
    assert sha256_of_folder(folder) == expected


def test_moved_bytes_are_another_folder(folder):
    before = sha256_of_folder(folder)
    (folder / "one").rename(folder / "b" / "one")
    assert sha256_of_folder(folder) != before
