"""The bodies of REST predict requests: JSON to arrays, and arrays to JSON.

`instances` (one entry per row) and `inputs` (one entry per input) as TensorFlow Serving takes them,
with `{"b64": …}` for bytes. For a signature that takes serialized tf.Examples also what users have:
rows as plain JSON objects, `{"fare": 12.5, "company": "Flash Cab"}`, checked against the columns
that the model reads. Called by `serving.server.rest_api`. Must not import TFX.
"""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fareline.kinds import FLOAT32_MAX, as_number, fits_int64
from fareline.near import listed, near_names
from serving.model.columns import Column
from serving.model.servable import RefusedError, Signature, check_arrays

_B64 = "b64"
_BYTES_SUFFIX = "_bytes"
_LONGEST_NAME = 100  # of a column that a similar one is looked for


def read_body(
    body: Mapping[str, Any],
    signature: Signature,
    required: Collection[str] = (),
    entity: str | None = None,
) -> dict[str, np.ndarray]:
    """Turns the body of a predict request into the arrays that the signature takes.

    Args:
        body: The JSON object, without `signature_name`.
        signature: Name of the signature.
        required: Columns that a plain row must have, where the model reads them.
        entity: Column that says whom or what a plain row is about, which the log reads.

    Returns:
        Input name to array.

    Raises:
        RefusedError: INVALID_ARGUMENT, with the place in the body that is wrong.
    """
    if len(body) != 1 or not body.keys() <= {"instances", "inputs"}:
        raise RefusedError.malformed(
            f"the body has {sorted(body)}; expected either instances or inputs"
        )
    if "instances" in body:
        instances = body["instances"]
        if not isinstance(instances, list) or not instances:
            raise RefusedError.malformed("instances: expected a list with at least one entry")
        values = _by_input(instances, signature, required, entity)
    else:
        values = _columnar(body["inputs"], signature, required, entity)
    arrays = {
        name: _to_array(name, values[name], tf.as_dtype(info.dtype))
        for name, info in signature.inputs.items()
    }
    check_arrays(arrays, signature)
    return arrays


def format_outputs(outputs: Mapping[str, np.ndarray], by_row: bool) -> dict[str, Any]:
    """Returns the answer: `predictions`, one per row, or `outputs`, one per output."""
    plain = {name: _to_json(name, array) for name, array in outputs.items()}
    only = next(iter(plain.values())) if len(plain) == 1 else None
    if not by_row:
        return {"outputs": plain if only is None else only}
    if only is not None:
        return {"predictions": only}
    rows = zip(*plain.values(), strict=True)
    return {"predictions": [dict(zip(plain, row, strict=True)) for row in rows]}


def _by_input(
    instances: Sequence[Any], signature: Signature, required: Collection[str], entity: str | None
) -> dict[str, list]:
    names = list(signature.inputs)
    if signature.examples_input is not None:
        rows = [
            _read_example(f"instances[{number}]", each, signature, required, entity)
            for number, each in enumerate(instances)
        ]
        return {signature.examples_input: rows}
    values: dict[str, list] = {name: [] for name in names}
    for number, each in enumerate(instances):
        if isinstance(each, dict) and each.keys() == set(names):
            named = each
        elif len(names) == 1 and not (isinstance(each, dict) and each.keys() != {_B64}):
            named = {names[0]: each}
        else:
            found = sorted(each) if isinstance(each, dict) else type(each).__name__
            raise RefusedError.malformed(f"instances[{number}]: {found}; expected {names}")
        for name in names:
            values[name].append(named[name])
    return values


def _columnar(
    inputs: Any, signature: Signature, required: Collection[str], entity: str | None
) -> dict[str, Any]:
    names = list(signature.inputs)
    if isinstance(inputs, dict) and inputs.keys() == set(names):
        return dict(inputs)
    if len(names) == 1 and not isinstance(inputs, dict):
        return {names[0]: inputs}
    if signature.examples_input is not None and signature.columns and isinstance(inputs, dict):
        lengths = {len(each) if isinstance(each, list) else None for each in inputs.values()}
        if len(lengths) != 1 or None in lengths or 0 in lengths:
            raise RefusedError.malformed("inputs: expected columns, lists of one length")
        rows = [dict(zip(inputs, row, strict=True)) for row in zip(*inputs.values(), strict=True)]
        encoded = [
            encode_row(f"inputs, row {number}", row, signature, required, entity)
            for number, row in enumerate(rows)
        ]
        return {signature.examples_input: encoded}
    found = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
    raise RefusedError.malformed(f"inputs: {found}; expected {names}")


def _read_example(
    where: str,
    instance: Any,
    signature: Signature,
    required: Collection[str],
    entity: str | None,
) -> bytes:
    """Reads a row: bytes in base 64, text, `{"examples": …}` around either, or a plain row."""
    if isinstance(instance, dict):
        if instance.keys() == {_B64} or instance.keys() == {signature.examples_input}:
            inner = instance.get(signature.examples_input, instance)
            return _to_bytes(where, inner)
        if signature.columns:
            return encode_row(where, instance, signature, required, entity)
    if isinstance(instance, str):
        return encode_text(where, instance)
    raise RefusedError.malformed(
        f'{where}: {type(instance).__name__}; expected {{"b64": a serialized tf.Example}}'
        + (" or an object of columns" if signature.columns else "")
    )


def encode_row(
    where: str,
    row: Mapping[str, Any],
    signature: Signature,
    required: Collection[str],
    entity: str | None = None,
) -> bytes:
    """Turns a plain JSON row into a serialized tf.Example; null is a missing value.

    Args:
        where: The row, for the message.
        row: Column to value.
        signature: Name of the signature. Known columns that it does not read are ignored.
        required: Columns that must have a value, beside those that the model itself requires.
        entity: Column that is written for the log to read, also if the model does not know it.

    Returns:
        The example.

    Raises:
        RefusedError: INVALID_ARGUMENT: an unknown column, a wrong type, or a required one missing.
    """
    example = tf.train.Example()
    features = example.features.feature
    columns = signature.columns
    for name, value in row.items():
        column = columns.get(name)
        if column is None:
            if name == entity:
                if value is not None:
                    named = _to_name(f"{where}.{name}", value)
                    features[name].bytes_list.value.append(named)
                continue
            if name in signature.unread:
                if isinstance(value, float):
                    _to_float(f"{where}.{name}", value)  # NaN is no JSON, wherever it stands
                continue
            raise _no_column(where, name, columns)
        if value is None:
            continue
        if column.kind == "string":
            features[name].bytes_list.value.append(_to_bytes(f"{where}.{name}", value))
        elif column.kind == "float":
            features[name].float_list.value.append(_to_float(f"{where}.{name}", value))
        else:
            features[name].int64_list.value.append(_to_int(f"{where}.{name}", value))
    missing = [
        name
        for name, column in columns.items()
        if row.get(name) is None and (column.required or name in required)
    ]
    if missing:
        raise RefusedError.lacking(where, missing)
    return example.SerializeToString()


def _no_column(where: str, name: str, columns: Mapping[str, Column]) -> RefusedError:
    near = near_names(name, columns) if len(name) <= _LONGEST_NAME else []
    hint = f"did you mean {near[0]}" if near else f"expected some of {listed(sorted(columns))}"
    return RefusedError.malformed(f"{where}: no column {name!r:.120}; {hint}")


def encode_text(where: str, text: str) -> bytes:
    """Encodes text of a request.

    Raises:
        RefusedError: INVALID_ARGUMENT: it holds half of a surrogate pair, which JSON can escape.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError.malformed(f"{where}: {text!r:.40}; expected Unicode text") from error


def _to_bytes(where: str, value: Any) -> bytes:
    if isinstance(value, str):
        return encode_text(where, value)
    if isinstance(value, dict) and value.keys() == {_B64} and isinstance(value[_B64], str):
        try:
            return base64.b64decode(value[_B64], validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedError.malformed(f"{where}: not base 64 ({error})") from error
    raise RefusedError.malformed(f'{where}: {value!r:.40}; expected text or {{"b64": …}}')


def _to_name(where: str, value: Any) -> bytes:
    """Whom or what a row is about: as text, of which a number keeps every digit."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and abs(value) < float("inf"):  # NaN is not, either
        return str(value).encode()
    return _to_bytes(where, value)


def _to_float(where: str, value: Any) -> float:
    value = as_number(value)
    if not isinstance(value, int | float) or not abs(value) <= FLOAT32_MAX:  # nor is NaN
        raise RefusedError.malformed(f"{where}: {value!r:.40}; expected a finite number")
    return float(value)


def _to_int(where: str, value: Any) -> int:
    value = as_number(value)
    if isinstance(value, float) and value.is_integer():  # 3.0, as many clients write an integer
        value = int(value)
    if not isinstance(value, int) or not fits_int64(value):
        raise RefusedError.malformed(f"{where}: {value!r:.40}; expected an integer")
    return value


def _to_array(name: str, values: Any, dtype: tf.DType) -> np.ndarray:
    """Makes an array of nested lists, without numpy's guesses at what was meant."""
    if dtype == tf.string:
        values, kinds = _encode_nested(name, values), (bytes,)
    else:
        kinds = (bool,) if dtype.is_bool else (int,) if dtype.is_integer else (int, float)
    try:
        array = np.array(values, dtype=object)
        wrong = [each for each in array.flat if type(each) not in kinds]  # ragged: lists, too
        if wrong:
            raise RefusedError.malformed(f"{name}: {wrong[0]!r:.40}; expected {dtype.name}")
        return array if dtype == tf.string else array.astype(dtype.as_numpy_dtype)
    except (ValueError, OverflowError) as error:
        raise RefusedError.malformed(f"{name}: {error}; expected {dtype.name}") from error


def _encode_nested(name: str, values: Any) -> Any:
    if isinstance(values, list):
        return [_encode_nested(name, each) for each in values]
    return values if isinstance(values, bytes) else _to_bytes(name, values)


def _to_json(name: str, array: np.ndarray) -> Any:
    if np.issubdtype(array.dtype, np.floating):
        finite = np.isfinite(array)
        if array.dtype == np.float32:
            # As short as it can be: 0.1, not 0.10000000149.
            array = array.astype("U").astype(np.float64)
        # JSON has neither NaN nor infinity (RFC 8259).
        return array.tolist() if finite.all() else np.where(finite, array, None).tolist()
    values = array.tolist()
    if array.dtype != object:
        return values
    if name.endswith(_BYTES_SUFFIX):  # TensorFlow Serving's rule for what is no text
        return _map_nested(lambda each: {_B64: base64.b64encode(each).decode()}, values)
    return _map_nested(lambda each: each.decode(errors="replace"), values)


def _map_nested(change: Any, values: Any) -> Any:
    if isinstance(values, list):
        return [_map_nested(change, each) for each in values]
    return change(values)
