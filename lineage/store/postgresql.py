"""Workarounds for ML Metadata's PostgreSQL client (faults seen with 1.16 and 1.21).

* It cannot write a text with a backslash: it asks for a quoted text, gets ` E'…'` for such a one,
  and takes off the first and the last character as if it were `'…'`, which is a syntax error. JSON
  in JSON, which TFX records of every Evaluator, is full of them. A private-use character stands for
  the backslash in the database, and is turned back on the way out.
* It returns rows as they happen to lie in the table, where a row that was changed comes last. TFX
  takes what it asked for by ids to be in the order of the ids, and would give the outputs of a
  cached execution the names of each other (`cache_utils._get_outputs_of_execution`).

Called by lineage.store.open, for every connection to PostgreSQL.
"""

import weakref

from google.protobuf import struct_pb2
from google.protobuf.message import Message
from ml_metadata.metadata_store import metadata_store

BACKSLASH = "\\"
STAND_IN = "\ue05c"  # private use, and 5C is the backslash
_LISTS = {"artifacts": "artifact_ids", "executions": "execution_ids", "contexts": "context_ids"}


def mend(store: metadata_store.MetadataStore) -> None:
    """Has a store write the stand-in, read the backslash, and return things in order."""
    call = type(store)._call  # what every method of the client goes through
    # A store that referred to itself would keep its connection until Python looks for such
    # circles; a run opens several hundred, and the server has a hundred.
    owner = weakref.ref(store)

    def mended_call(method_name, request, response, extra_options=None):
        if BACKSLASH.encode() in request.SerializeToString():
            _replace(request, BACKSLASH, STAND_IN)
        result = call(owner(), method_name, request, response, extra_options)
        if STAND_IN.encode() in response.SerializeToString():
            _replace(response, STAND_IN, BACKSLASH)
        _sort(request, response)
        return result

    store._call = mended_call


def _replace(message: Message, old: str, new: str) -> None:
    for field, value in message.ListFields():
        if isinstance(value, str):
            setattr(message, field.name, value.replace(old, new))
        elif isinstance(value, Message):
            if not isinstance(value, struct_pb2.Struct):  # kept in base 64
                _replace(value, old, new)
        elif field.message_type is not None:
            entries = value.values() if hasattr(value, "values") else value
            for entry in entries:
                if isinstance(entry, Message):
                    _replace(entry, old, new)
        elif field.cpp_type == field.CPPTYPE_STRING and not isinstance(value, bytes):
            value[:] = [v.replace(old, new) if isinstance(v, str) else v for v in value]


def _sort(request: Message, response: Message) -> None:
    """Sorts elements as they were asked for by id, else by id; unless an order was asked for."""
    asked = request.DESCRIPTOR.fields_by_name
    if "options" in asked and request.HasField("options"):
        return
    for elements, ids in _LISTS.items():
        if elements not in response.DESCRIPTOR.fields_by_name:
            continue
        wanted = list(getattr(request, ids)) if ids in asked else []
        places = {wanted_id: place for place, wanted_id in enumerate(wanted)}
        getattr(response, elements).sort(key=lambda e, places=places: (places.get(e.id, 0), e.id))
