"""Shares of an endpoint's requests, as percent by version. Plain arithmetic, imports no client."""

from collections.abc import Mapping

WHOLE = 100


def share_with(traffic: Mapping[int, int], version: int, percent: int) -> dict[int, int]:
    """Gives a version its share and the rest to the one that is live.

    All others get none: a third version would take requests without a decision. If no other
    version is live, the version gets all requests.

    Args:
        traffic: Version to its percent now.
        version: Gets the share; may be new.
        percent: Percent of the requests.

    Returns:
        Every version of before and this one; adds up to 100.
    """
    others = {number: share for number, share in traffic.items() if number != version and share}
    after = dict.fromkeys([*traffic, version], 0)
    if not others:
        after[version] = WHOLE
        return after
    live = max(others, key=lambda number: (others[number], number))
    after[live] = WHOLE - percent
    after[version] = percent
    return after


def live_version(traffic: Mapping[int, int]) -> int | None:
    """The version that most requests go to, the newest of several; None if none gets any."""
    best = max(traffic, key=lambda number: (traffic[number], number), default=None)
    return best if best is not None and traffic[best] else None
