"""What an error of a library means, so that a command says it in one line. Called by commands."""

import sys

from fareline.disk import disk_error
from fareline.errors import FarelineError, UserMistake
from fareline.start import what_is_in_the_way


def known_failure(error: Exception) -> FarelineError | None:
    """What an error of others means that is no defect; None for any other."""
    found = _of_the_names(error) or disk_error(error) or _of_the_store(error)
    return found or _of_permissions(error)


def _of_permissions(error: Exception) -> UserMistake | None:
    """A place that this user may not use; None for any other error."""
    if not isinstance(error, PermissionError) or error.filename is None:
        return None
    return UserMistake.explain(
        str(error.filename),
        f"cannot be used ({error.strerror})",
        "expected a place that you may write to",
        "name another place, or have its permissions changed",
    )


def _of_the_names(error: Exception) -> FarelineError | None:
    """What has installed files into our packages; None if nothing has, or for any other error."""
    return what_is_in_the_way() if isinstance(error, ImportError | AttributeError) else None


def _of_the_store(error: Exception) -> FarelineError | None:
    """What an error of ML Metadata means; None for any other error."""
    kinds = sys.modules.get("ml_metadata.errors")  # loaded, or it is not one
    if kinds is None or not isinstance(error, kinds.StatusError):
        return None
    from lineage.store.open import failure_of_store

    return failure_of_store(error)
