"""Request logs of TensorFlow Serving itself, taken up into the prediction log.

They are TFRecord files of PredictionLog messages, of which the predict requests for serialized
tf.Examples are read. TensorFlow Serving gives no ids: a client that wants to name a prediction
later puts one into its row, as the text `prediction_id`, which no model reads. Any other row gets
an id made of its time and its place, the same whenever the file is taken up.

Called by `cli.feedback.log`. Must not import TFX.

Source: tensorflow_serving/apis/prediction_log.proto, logging.proto.
"""

import dataclasses
import datetime
import hashlib
import os
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from fareline.errors import DataError
from fareline.prediction_ids import milliseconds_of, row_id
from fareline.recorded.feedback import LoggedPrediction
from serving.server.log_files import LogFiles
from serving.server.request_log import Asked, as_entity, read_features, score_of

PROTOCOL = "tensorflow_serving"
ID_FEATURE = "prediction_id"
NO_MESSAGE, NO_PREDICTION, NO_TIME, CUT = "no_message", "no_prediction", "no_time", "cut"


@dataclasses.dataclass(frozen=True)
class Taking:
    """Rules for the records to add from a log.

    Attributes:
        folder: Folder of the prediction log.
        columns: Columns to keep.
        digest_of: SHA-256 of the folder of a version; empty if it is not known.
        entity: Column that says whom or what a row is about.
        pseudonym: Function for the pseudonym of an entity; None: entities are kept.
    """

    folder: str
    columns: Collection[str]
    digest_of: Callable[[int], str]
    entity: str | None = None
    pseudonym: Callable[[bytes], bytes] | None = None


@dataclasses.dataclass(frozen=True)
class Taken:
    """The treatment of the records.

    Attributes:
        rows: Number of rows that were added to the prediction log.
        skipped: Reason to the number of records that are not, or of rows without a time.
    """

    rows: int
    skipped: Mapping[str, int]


def take_up(path: str, taking: Taking) -> Taken:
    """Reads a file, and adds a file to the prediction log: whole, or not at all.

    Args:
        path: TFRecord; gzipped where its name ends in .gz.
        taking: Rules for the records to add.

    Raises:
        DataError: The file cannot be read, or holds no record at all.
    """
    files = LogFiles(taking.folder, is_job=True)
    skipped: Counter = Counter()
    rows = 0
    try:
        for number, record in enumerate(_records(path, skipped)):
            lines = [each.line() for each in _predictions(record, number, taking, skipped)]
            rows += len(lines)
            if lines:
                files.write("".join(lines).encode())
    except BaseException:
        files.discard()
        raise
    files.close()
    return Taken(rows, dict(sorted(skipped.items())))


def _records(path: str, skipped: Counter) -> Iterator[bytes]:
    """The records up to where the file is cut."""
    if not os.path.isfile(path):
        raise DataError.explain(
            path, "no such file", "expected a request log of TensorFlow Serving", "check the path"
        )
    kind = "GZIP" if path.endswith(".gz") else ""
    read = 0
    try:
        for record in tf.compat.v1.io.tf_record_iterator(path, kind):
            read += 1
            yield record
    except tf.errors.OpError as error:
        if not read:
            raise DataError.explain(
                path,
                "is not a TFRecord file",
                "expected a request log of TensorFlow Serving",
                "check the path; its name ends in .gz if it is gzipped",
            ) from error
        skipped[CUT] += 1


def _predictions(
    record: bytes, number: int, taking: Taking, skipped: Counter
) -> Iterator[LoggedPrediction]:
    log = prediction_log_pb2.PredictionLog()
    try:
        log.ParseFromString(record)
        request, response = log.predict_log.request, log.predict_log.response
        [tensor] = request.inputs.values()
        rows = [bytes(row) for row in tf.make_ndarray(tensor).reshape(-1)]
        outputs = {name: tf.make_ndarray(each) for name, each in response.outputs.items()}
        found = [tf.train.Example.FromString(row).features.feature[ID_FEATURE] for row in rows]
    except DecodeError:
        skipped[NO_MESSAGE] += 1
        return
    except (ValueError, TypeError, KeyError):  # another kind of request, or of input
        skipped[NO_PREDICTION] += 1
        return
    spec = response.model_spec if response.model_spec.name else request.model_spec
    seconds = log.log_metadata.timestamp_secs
    rate = log.log_metadata.sampling_config.sampling_rate
    asked = Asked(int(spec.version.value), rows, outputs, PROTOCOL)
    made = _made_id(seconds * 1000, hashlib.sha256(record + str(number).encode()).digest())
    for i, row in enumerate(rows):
        given = b"".join(found[i].bytes_list.value).decode(errors="replace")
        milliseconds = milliseconds_of(given) or seconds * 1000
        if not milliseconds:
            skipped[NO_TIME] += 1
            continue
        when = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
        yield LoggedPrediction(
            id=given or row_id(made, i, len(rows)),
            time=when.isoformat("T", "milliseconds"),
            model=spec.name,
            version=asked.version,
            sha256=taking.digest_of(asked.version),
            protocol=PROTOCOL,
            weight=1 / rate if rate else 1.0,
            score=score_of(asked, i),
            features=read_features(row, taking.columns),
            entity=as_entity(row, taking.entity, taking.pseudonym),
        )


def _made_id(milliseconds: int, digest: bytes) -> str:
    """A UUID of version 7 of a time and, in place of chance, of a digest."""
    chance = int.from_bytes(digest[:8], "big")
    number = milliseconds << 80 | 7 << 76 | (chance >> 52) << 64 | 2 << 62 | chance & (1 << 62) - 1
    return str(uuid.UUID(int=number))
