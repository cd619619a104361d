"""Explains errors of platforms to the user: one line for each HTTP status.

Both platforms speak REST with Google's status codes, so that only the advice differs. Called by
`runners.platforms.vertex.client` and `runners.platforms.kubeflow.client`. Imports no client.
"""

import dataclasses

from fareline.errors import FarelineError
from runners.platforms.jobs import (
    NotThereError,
    PlatformError,
    RefusedRequestError,
    TakenIdError,
    UnreachableError,
)


@dataclasses.dataclass(frozen=True)
class Advice:
    """Parts of the messages that differ between platforms.

    Attributes:
        platform: Platform, as `submit` calls it.
        account: Account with the expected credentials.
        role: Role that the account needs.
        sign_in: Advice for new credentials.
        roles: Place of the documentation about roles.
        place: The settings that say where jobs are.
        room: Advice to free quota for one more job.
        address: The settings that say where the platform is.
        request: Requested action.
        look: Command that shows the request.
        has_jobs: Whether requests are about jobs, whose ids may be taken.
    """

    platform: str
    account: str
    role: str
    sign_in: str
    roles: str
    place: str
    room: str
    address: str
    request: str = "a job"
    look: str = "--dry-run shows what would be sent"
    has_jobs: bool = True


def explain_answer(advice: Advice, code: int, said: str, job_id: str) -> FarelineError:
    """Builds the error for an invalid answer.

    Args:
        advice: Advice of the platform.
        code: HTTP status.
        said: The platform's own words; may span lines.
        job_id: Id of the job.

    Returns:
        The error, not raised.
    """
    where, said = advice.platform, one_line(said)
    match code:
        case 400 | 413 | 422:
            return RefusedRequestError.explain(
                job_id,
                f"{where} refuses it ({said})",
                f"expected {advice.request} that it takes",
                advice.look,
            )
        case 401:
            return expired(advice, said)
        case 403:
            return PlatformError.explain(
                where, f"permission denied ({said})", f"expected {advice.role}", advice.roles
            )
        case 404:
            return NotThereError.explain(
                job_id, f"not found ({said})", "expected what is there", advice.place
            )
        case 409 | 412 if not advice.has_jobs:  # 412: a lease that another one has taken over
            return PlatformError.explain(
                job_id,
                f"somebody changed it at the same time ({said})",
                "expected no other change meanwhile",
                "run the same command again: it goes on from there",
            )
        case 409:
            return exists_already(where, job_id)
        case 429:
            return PlatformError.explain(
                where,
                f"a quota is exhausted ({said})",
                f"expected room for {advice.request}",
                advice.room,
            )
    kind = UnreachableError if code >= 500 else PlatformError
    return kind.explain(
        where,
        f"answered {code} ({said})",
        "expected a usable answer",
        "try again in a moment; if it says the same again, act on what it says",
    )


def exists_already(platform: str, job_id: str, found: str | None = None) -> TakenIdError:
    """The error of a job id that is taken, and by which job, where that goes by another name."""
    follow = f"`fareline submit {platform} --follow {found or job_id}`"
    return TakenIdError.explain(
        job_id,
        f"{platform} already has a job of this id",
        "expected a new id for every job",
        f"leave --job-id out, or {follow} follows that job",
    )


def expired(advice: Advice, said: str) -> PlatformError:
    """The error of credentials that are not valid, or not any more."""
    return PlatformError.explain(
        advice.platform,
        f"the credentials are invalid or have expired ({one_line(said)})",
        f"expected {advice.account}",
        advice.sign_in,
    )


def no_credentials(advice: Advice) -> RefusedRequestError:
    """The error of a machine that has no credentials at all."""
    return RefusedRequestError.explain(
        advice.platform, "found no credentials", f"expected {advice.account}", advice.sign_in
    )


def no_answer(advice: Advice, endpoint: str, error: BaseException) -> UnreachableError:
    """The error of a platform that does not answer.

    Args:
        advice: Advice of the platform.
        endpoint: Address of the request.
        error: Error of the client; the message has its innermost cause.
    """
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    # Sockets and TLS number their errors, which says nothing to a reader.
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnreachableError.explain(
        advice.platform,
        f"no answer from {endpoint} ({one_line(said)})",
        "expected the platform's API",
        f"check the network, and {advice.address}",
    )


def unusable(advice: Advice, job_id: str, said: str) -> UnreachableError:
    """The error of an answer that is none of the platform's API, as of a proxy in between."""
    return UnreachableError.explain(
        job_id,
        f"the answer of {advice.platform} cannot be read ({one_line(said)})",
        "expected an answer of the platform's API",
        f"try again in a moment; if it says the same again, check a proxy, and {advice.address}",
    )


def one_line(text: str) -> str:
    """A platform's words, fit for the middle of a sentence."""
    return " ".join(text.split()).rstrip(".")
