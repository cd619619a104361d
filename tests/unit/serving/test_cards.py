"""The card of a published version: beside it, unknown to servers and digests, gone with it."""

import pytest

from fareline.digests import sha256_of_folder
from serving.versions.cards import card_path, write_card
from serving.versions.files import list_versions
from serving.versions.publish import Return, bring_back, publish, remove_old


@pytest.fixture
def base(tmp_path):
    """A serving folder with versions 1 to 3, each with its card."""
    for number in (1, 2, 3):
        model = tmp_path / f"model-{number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"model {number}")
        published = publish(str(model), str(tmp_path / "serving"), version=number)
        write_card(published.path, f"card {number}\n")
    return tmp_path / "serving"


def cards(base):
    return {path.name: path.read_text() for path in base.glob("*.md")}


def test_it_changes_no_version_and_no_digest(base, tmp_path):
    assert list_versions(str(base)) == [1, 2, 3]
    assert sha256_of_folder(base / "2") == sha256_of_folder(tmp_path / "model-2")
    assert cards(base) == {f"{n}.md": f"card {n}\n" for n in (1, 2, 3)}


def test_it_goes_with_its_version(base):
    assert remove_old(str(base), 2) == [1]
    assert set(cards(base)) == {"2.md", "3.md"}


def test_what_comes_back_brings_its_card(base):
    digest = sha256_of_folder(base / "2")
    back = bring_back(str(base), Return(2, str(base / "2"), digest, 3))
    assert cards(base)[f"{back.number}.md"] == "card 2\n"


def test_without_a_card_nothing_is_there(base):
    (base / "2.md").unlink()
    digest = sha256_of_folder(base / "2")
    back = bring_back(str(base), Return(2, str(base / "2"), digest, 3))
    assert f"{back.number}.md" not in cards(base)
    (base / "1.md").unlink()
    assert remove_old(str(base), 3) == [1]


def test_no_card_for_what_is_not_there(base):
    write_card(str(base / "9"), "text")
    assert "9.md" not in cards(base)
    assert card_path(f"{base}/9/") == f"{base}/9.md"
