"""Signatures show that a request is recent and from an owner of the secret.

HMAC-SHA256 over the time and the body, both of requests that come in and of hooks that go out.
"""

import hashlib
import hmac

SIGNATURE, TIME = "Fareline-Signature", "Fareline-Time"
MOST_AGE_SECONDS = 300


def sign(secret: bytes, body: bytes, seconds: int) -> dict[str, str]:
    """Headers of a request.

    Args:
        secret: Known to both sides.
        body: Body of the request.
        seconds: Now, since 1970.
    """
    return {TIME: str(seconds), SIGNATURE: _signature(secret, body, str(seconds))}


def refusal(secret: bytes, body: bytes, time: str, signature: str, seconds: float) -> str | None:
    """Why a request is refused; None if it is accepted.

    Args:
        secret: Known to both sides.
        body: Body of the request.
        time: Header `TIME`.
        signature: Header `SIGNATURE`.
        seconds: Now, since 1970.
    """
    expected = _signature(secret, body, time)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        return f"{SIGNATURE} does not fit the body, {TIME} and the secret"
    if not time.isascii() or not time.isdigit() or abs(seconds - int(time)) > MOST_AGE_SECONDS:
        return f"{TIME} is more than {MOST_AGE_SECONDS} s away"
    return None


def _signature(secret: bytes, body: bytes, time: str) -> str:
    signed = time.encode("utf-8", "replace") + b"." + body
    return "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
