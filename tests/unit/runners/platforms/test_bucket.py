"""Input files on their way into a bucket: sent if they are not there as they are here."""

import pytest

from runners.platforms.jobs import UnreachableError
from runners.platforms.vertex import bucket
from runners.platforms.vertex.bucket import Upload, upload
from tests.loopback.storage import storage_server


@pytest.fixture
def storage(tmp_path, monkeypatch):
    (tmp_path / "buckets" / "taxi-bucket").mkdir(parents=True)
    with storage_server(tmp_path / "buckets") as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def trips(tmp_path):
    path = tmp_path / "trips.csv"
    path.write_bytes(b"fare,tips\n5.25,1\n")
    return Upload(path, "gs://taxi-bucket/chicago taxi/data/trips.csv")


def there(storage, name="chicago taxi/data/trips.csv"):
    return (storage.api.folder / "taxi-bucket" / name).read_bytes()


def test_a_file_is_sent_once(storage, trips):
    assert upload([trips]) == [trips]
    assert there(storage) == b"fare,tips\n5.25,1\n"
    assert upload([trips]) == []
    assert storage.api.uploaded == [trips.uri]


def test_a_file_that_differs_is_sent_again(storage, trips):
    upload([trips])
    trips.path.write_bytes(b"fare,tips\n5.25,2\n")  # of the same size
    assert upload([trips]) == [trips]
    assert there(storage) == b"fare,tips\n5.25,2\n"


def test_a_large_file_arrives_whole(storage, tmp_path):
    """Of more than 8 MiB, which Google's client sends in another way."""
    large = Upload(tmp_path / "large.csv", "gs://taxi-bucket/large.csv")
    large.path.write_bytes(b"0123456789abcdef" * 600_000)
    assert upload([large]) == [large]
    assert there(storage, "large.csv") == large.path.read_bytes()
    assert upload([large]) == []


def test_nobody_answers(trips, monkeypatch, tmp_path):
    with storage_server(tmp_path) as gone:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gone.address)
    monkeypatch.setattr(bucket, "_RETRY_SECONDS", 0.2)
    with pytest.raises(UnreachableError) as raised:
        upload([trips])
    assert str(raised.value) == (
        f"gs://taxi-bucket: no answer from {gone.address} (Connection refused); expected the "
        "platform's API. Hint: check the network, and STORAGE_EMULATOR_HOST if it is set."
    )
