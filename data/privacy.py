"""Personal columns: left out, or replaced by keyed pseudonyms, before anything else sees the rows.

Applied to each batch directly after the reader: splits, statistics, Examples and quarantine never
get the values. Called by `pipeline.ingest.beam_files`. Reads no environment: the caller passes the
key.
"""

import dataclasses
import hashlib
import hmac

import pyarrow as pa

from data.reading.batches import Batch
from data.reading.rows import BadRow
from data.reading.values import Fault
from fareline.errors import DataError

LEAST_KEY_BYTES = 32
WITHHELD = "withheld: the row has personal columns"
_KEY_ID_DIGITS = 12


@dataclasses.dataclass(frozen=True)
class Privacy:
    """The treatment of personal columns.

    Attributes:
        dropped: Columns that are left out.
        pseudonymized: Columns of which a keyed hash is left.
    """

    dropped: tuple[str, ...] = ()
    pseudonymized: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """All personal columns."""
        return frozenset((*self.dropped, *self.pseudonymized))


def require_key(key: bytes, where: str) -> bytes:
    """Refuses a key that can be guessed.

    Raises:
        DataError: The key is too short.
    """
    if len(key) < LEAST_KEY_BYTES:
        raise DataError.explain(
            where,
            f"has {len(key)} characters",
            f"expected a secret of {LEAST_KEY_BYTES} or more, since who guesses it knows whom the "
            "pseudonyms stand for",
            "make one with openssl rand -hex 32, and keep it: another key gives other pseudonyms",
        )
    return key


def key_id(key: bytes) -> str:
    """Identifies a key without revealing it: 12 hexadecimal digits."""
    return hmac.new(key, b"fareline: which key is this", hashlib.sha256).hexdigest()[
        :_KEY_ID_DIGITS
    ]


def pseudonym(value: bytes, key: bytes) -> bytes:
    """HMAC-SHA-256 of a value, 64 hexadecimal digits."""
    return hmac.new(key, value, hashlib.sha256).hexdigest().encode()


def protect(batch: Batch, privacy: Privacy, key: bytes | None) -> Batch:
    """Removes the personal values from the good and the bad rows of a batch.

    Args:
        batch: From a reader.
        privacy: The personal columns.
        key: For pseudonyms; None only if there are none.

    Returns:
        The batch without the dropped columns; pseudonyms are large_binary, null where a value is
        missing.
    """
    if not privacy.columns:
        return batch
    columns = {}
    for name, array in batch.columns.items():
        if name in privacy.pseudonymized:
            columns[name] = _pseudonymize(array, key)
        elif name not in privacy.dropped:
            columns[name] = array
    bad = [_redact(row) for row in batch.bad]
    return Batch(batch.path, columns, batch.rows, bad)


def _pseudonymize(array: pa.Array, key: bytes | None) -> pa.Array:
    if key is None:
        raise ValueError("pseudonyms need a key")
    if pa.types.is_null(array.type):
        return array
    if pa.types.is_large_list(array.type):
        return pa.LargeListArray.from_arrays(array.offsets, _pseudonymize(array.values, key))
    if not pa.types.is_large_binary(array.type):
        array = array.cast(pa.large_string()).cast(pa.large_binary())  # 12 as "12"
    encoded = array.dictionary_encode()
    made = [pseudonym(value, key) for value in encoded.dictionary.to_pylist()]
    return pa.array(made, pa.large_binary()).take(encoded.indices)


def _redact(bad: BadRow) -> BadRow:
    """Withholds every value: in a row that is broken, a personal one may stand in any column."""
    column, colon, _ = bad.fault.message.partition(": ")
    message = f"{column}: {WITHHELD}" if colon else bad.fault.message  # the latter of no cell
    return BadRow(bad.line, Fault(bad.fault.reason, message), WITHHELD)
