"""The errors a person can cause or meet, each one sentence and one exit code.

Every error says three things, because at night a person needs exactly these: what happened, what was
not changed, and what to do. `str(error)` joins them into the one sentence shown in the terminal, in Slack
and in the log, so none of the three may hold a secret, an address of a person or foreign error text.

"We asked wrongly" (`UsageError`, `ServiceRefused`) and "they answered wrongly" (`ServiceUnintelligible`) are different
classes. `OutcomeUnknown` is neither: the request may or may not have had its effect, and the caller must look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.obstacles import FILE_DAMAGED, UNFORESEEN, Obstacle


class CutoverError(Exception):
    """`happened`, `unchanged` and `do` are clauses without a final full stop; `exit_code` ends the process. `obstacle`
    is what it is to a check that cannot be made because of it.
    """

    exit_code = 1
    obstacle = UNFORESEEN

    def __init__(self, happened: str, *, unchanged: str, do: str, obstacle: Obstacle | None = None) -> None:
        super().__init__(happened)
        self.happened = happened
        self.unchanged = unchanged
        self.do = do
        if obstacle is not None:
            self.obstacle = obstacle

    def __str__(self) -> str:
        return f"{self.happened}; {self.unchanged}; {self.do}."


class UsageError(CutoverError):
    """Wrong usage or settings, a malformed DSN, an unusable data directory."""

    exit_code = 2


def in_sentences(clauses: Iterable[str]) -> list[str]:
    """Each with its full stop; a question has its mark already."""
    return [clause if clause.endswith("?") else f"{clause}." for clause in clauses]


class WrongSettings(UsageError):
    """`mistakes`, each a sentence without its full stop, all of them at once: one a line where there are several."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            self.mistakes[0] if len(self.mistakes) == 1 else f"the settings have {len(self.mistakes)} mistakes",
            unchanged="nothing was contacted or written",
            do="fix the environment, .env or cutover.toml (cutover.example.toml shows every key), and start again",
        )

    def __str__(self) -> str:
        told = in_sentences(self.mistakes)
        tail = f"{self.unchanged[0].upper()}{self.unchanged[1:]}; {self.do}."
        return f"{told[0]} {tail}" if len(told) == 1 else "\n".join((f"T{self.happened[1:]}:", *told, tail))


class CheckFailed(CutoverError):
    """A check failed, or the run that was asked for has been aborted."""

    exit_code = 3


class RecordDamaged(CutoverError):
    """A journal or a bundle is not what was written."""

    exit_code = 3
    obstacle = FILE_DAMAGED


class LockHeld(CutoverError):
    """Another instance holds the data directory or the source."""

    exit_code = 4


class ServiceError(CutoverError):
    """A service could not be reached or refused us."""

    exit_code = 5


class ServiceUnreachable(ServiceError):
    """Nothing answered, or the connection was lost before the request could have had an effect."""


class ServiceRefused(ServiceError):
    """The service understood and said no: credentials, permission, a limit that is not temporary."""


class MessageLost(ServiceRefused):
    """A message of ours is no longer in the channel, or can be neither edited nor answered any more."""


class CredentialRefused(ServiceRefused):
    """The service does not take our credential any more; nothing but a start with another one helps."""


class Unreadable(ServiceRefused):
    """`tables` (each `schema.table`) cannot be read, and an approver may choose to leave them out."""

    def __init__(self, happened: str, *, unchanged: str, do: str, tables: tuple[str, ...]) -> None:
        super().__init__(happened, unchanged=unchanged, do=do)
        self.tables = tables


class ServiceUnintelligible(ServiceError):
    """The service answered something that its documentation does not allow."""


class OutcomeUnknown(ServiceError):
    """The request was sent and no trustworthy answer came: resolve it by looking, never by repeating."""


class Interrupted(CutoverError):
    """INT or TERM ended the process at a safe point."""

    exit_code = 130
