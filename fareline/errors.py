"""The errors that a user may see, and the one place where their wording is built.

Every room raises these (or subclasses of its own); `cli.app` turns them into one line and an
exit code. Imports nothing, so that every room, the light ones included, can afford it.
"""


class FarelineError(Exception):
    """Something went wrong and the message says what to do. The command ends with `exit_code`.

    Subclasses also inherit the builtin that they mean, and take one string, so that they survive
    pickling between processes.
    """

    exit_code = 1

    @classmethod
    def explain(cls, where: str, found: str, expected: str, hint: str) -> "FarelineError":
        """Builds an error worded `where: found; expected. Hint: hint.`

        Args:
            where: The setting, file or node at fault, as the user would name it.
            found: What was found there.
            expected: What would have been right.
            hint: What to do about it.

        Returns:
            An instance of `cls`, not raised.
        """
        return cls(f"{where}: {found}; {expected}. Hint: {hint}.")


class Interrupted(FarelineError):
    """A signal stopped it. Exit code 130 for Ctrl-C; `runners.stopping` knows of others."""

    exit_code = 130


class UserMistake(FarelineError, ValueError):
    """What was asked for cannot be done as asked; nothing was started. Exit code 2."""

    exit_code = 2


class SettingsError(UserMistake):
    """The settings file, or a `--set`, is wrong. The message holds one line per problem."""


class DataError(UserMistake):
    """The input data cannot be used: missing, empty, or without the columns in the settings."""


class WorkspaceError(UserMistake, OSError):
    """The workspace cannot be written, or another run is using it."""


class TryLater(FarelineError, BlockingIOError):
    """Another process is at work on the same thing, and ends some time. Exit code 75."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h
