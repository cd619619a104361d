"""The errors that users see, and the function that builds their text.

Every package raises these errors or subclasses. `cli.app` prints them as one line and sets the exit
code. This module has no imports, so that all packages can import it.
"""


class FarelineError(Exception):
    """An error whose message says what to do. The command ends with `exit_code`.

    Subclasses also inherit the corresponding built-in error. They take one string, so that they can
    be pickled between processes.
    """

    exit_code = 1

    @classmethod
    def explain(cls, where: str, found: str, expected: str, hint: str) -> "FarelineError":
        """Builds an error worded `where: found; expected. Hint: hint.`

        Args:
            where: The setting, file or node with the fault, by the name that the user knows.
            found: The value or state that was found.
            expected: The value or state that was expected.
            hint: The action for the user.

        Returns:
            An instance of `cls`, not raised.
        """
        return cls(f"{where}: {found}; {expected}. Hint: {hint}.")


class Interrupted(FarelineError):
    """A signal stopped the command. Exit code 130 for Ctrl-C; `runners.stopping` has the others."""

    exit_code = 130


class UserMistake(FarelineError, ValueError):
    """The request cannot be executed, and no run was started. Exit code 2."""

    exit_code = 2


class SettingsError(UserMistake):
    """The settings file or a `--set` is wrong. The message has one line per problem."""


class DataError(UserMistake):
    """The input data cannot be used: missing, empty, or without the columns in the settings."""


class WorkspaceError(UserMistake, OSError):
    """The workspace cannot be written, or another run is using it."""


class TryLater(FarelineError, BlockingIOError):
    """Another process is using the same resource and will end. Exit code 75."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


def message_of(error: BaseException) -> str:
    """The text of an error; if its own text fails, the text of Python's tracebacks."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error of somebody else's, which may do anything
        return f"<unprintable {type(error).__name__} object>"
