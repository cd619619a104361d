"""Texts with backslashes in a PostgreSQL store, which ML Metadata cannot write there.

Its PostgreSQL client asks for a quoted text, gets ` E'…'` for one with a backslash, and takes off
the first and the last character as if it were `'…'`: a syntax error (seen with 1.16.0 and 1.21.0).
JSON in JSON, which TFX records of many components, is full of them. A private-use character stands
for the backslash in the database, and is turned back on the way out.

Called by lineage.store and runners.local, for every connection to PostgreSQL.
"""

import weakref

from google.protobuf import struct_pb2
from google.protobuf.message import Message
from ml_metadata.metadata_store import metadata_store

BACKSLASH = "\\"
STAND_IN = "\ue05c"  # private use, and 5C is the backslash


def keep_backslashes(store: metadata_store.MetadataStore) -> None:
    """Has a store write the stand-in and read the backslash."""
    call = type(store)._call  # what every method of the client goes through
    # A store that referred to itself would keep its connection until Python looks for such
    # circles; a run opens several hundred, and the server has a hundred.
    owner = weakref.ref(store)

    def swapping_call(method_name, request, response, extra_options=None):
        if BACKSLASH.encode() in request.SerializeToString():
            _replace(request, BACKSLASH, STAND_IN)
        result = call(owner(), method_name, request, response, extra_options)
        if STAND_IN.encode() in response.SerializeToString():
            _replace(response, STAND_IN, BACKSLASH)
        return result

    store._call = swapping_call


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
