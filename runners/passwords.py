"""Passwords of database servers, from the variables that the servers' own clients read."""

import os

from lineage.store.address import PASSWORD_VARIABLES


def store_passwords() -> dict[str, str]:
    """Returns passwords by scheme, for `lineage.store.open`; empty where no variable is set."""
    return {
        scheme: os.environ[name]
        for scheme, name in PASSWORD_VARIABLES.items()
        if name in os.environ
    }
