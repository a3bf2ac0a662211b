"""The sentences about what is accepted or decided by name: reasons, failing checks, unreadable tables, users."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan.text import Text, joined, say
from bot.plan.texts.amounts import number
from bot.plan.texts.foreign import code, codes, marked, seen
from bot.plan.texts.listing import and_more
from bot.plan.texts.sentences import accepting as by_name

_MOST_USERS = 3


def accepted(reason: str, count: int) -> Text:
    return say(
        "Accepted: {count} migrated incompletely because of `{reason}`. Recorded under your name.",
        count="1 user is" if count == 1 else f"{number(count)} users are",
        reason=reason,
    )


def nothing_to_accept(name: str, known: Sequence[str]) -> Text:
    if not known:
        return say("Nothing was accepted: there is nothing to accept now.")
    return say(
        "Nothing was accepted: {name} cannot be accepted here. To accept now: {known}.",
        name=code(name) if seen(name) else "that",
        known=joined(codes(known), by=", "),
    )


def why_without_colon(left_over: str, names: Sequence[str]) -> Text:
    """`left_over` is what follows the names, in place of another."""
    return say(
        "Nothing was accepted: `{left_over}` is not a name to accept here. If it is your reason, put a colon before "
        "it: `accept {names}: {left_over}`.",
        left_over=seen(left_over),
        names=" ".join(seen(name) for name in names),
    )


# -- checks -----------------------------------------------------------------------------------------------------------


def why_waived(check: str) -> Text:
    return say("Nothing was accepted: say why, as in `accept {check}: we looked at it by hand`.", check=check)


def older_than_finding(check: str) -> Text:
    return say(
        "Nothing was accepted: your message is older than the last finding of `{check}`. Read it and say this again.",
        check=check,
    )


def never_waived(check: str) -> Text:
    return say(
        "Nothing was accepted: `{check}` cannot be waived: data could be lost. Its finding says how to fix it.",
        check=check,
    )


def waived_by_you(check: str) -> Text:
    return say("Nothing was accepted: you accepted `{check}` before. Another approver must accept it.", check=check)


def waived(check: str, missing: int, word: str) -> Text:
    if missing:
        return say(
            "Accepted by you: `{check}`. Another approver must accept it too; the checkpoint waits.", check=check
        )
    return say(
        "Accepted: what `{check}` found no longer stops the checkpoint; anything else it finds does. Recorded under "
        "your name, and shown at every later checkpoint. Say `{word}` again.",
        check=check,
        word=word,
    )


def waived_while_checked(check: str) -> Text:
    return say(
        "Nothing was accepted: checks are running. When they end, read the finding of `{check}`, then say this again.",
        check=check,
    )


# -- tables -----------------------------------------------------------------------------------------------------------


def left_unread(table: str, others: Sequence[str], word: str) -> Text:
    """`word` is what goes on once nothing is open any more."""
    return say(
        "Accepted: the export leaves out `{table}`. Recorded under your name, with your reason, here and in the "
        "bundle. {then}",
        table=seen(table),
        then=say("Still open: {each}.", each=marked(by_name(others)))
        if others
        else say("Say `{word}` to continue without it.", word=word),
    )


def no_such_table_to_leave_out(tables: Sequence[str]) -> Text:
    return say(
        "Nothing was accepted: no table of that name is open. {then}",
        then=say("Name one of these: {each}.", each=marked(by_name(tables))) if tables else "Every table can be read.",
    )


def why_left_out(table: str) -> Text:
    return say(
        "Nothing was accepted: say why, as in `accept unreadable:{table}: it holds only caches`.", table=seen(table)
    )


def older_than_unreadable() -> Text:
    return say(
        "Nothing was accepted: your message is older than the one that names this table. Read it and say this again."
    )


# -- who is the same person -------------------------------------------------------------------------------------------


def decided(id_: str, choice: str, stack_id: str) -> Text:
    what = {
        "match": say("is the Stack Auth user `{id}`", id=stack_id),
        "create": say("is created as a new user"),
        "skip": say("is left out"),
    }[choice]
    return say(
        "Decided: `{id}` {what}. Recorded under your name. When all is decided, say `retry` to me.", id=id_, what=what
    )


def how_to_decide() -> Text:
    return say(
        "Nothing was decided: say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip`, with the ids of "
        "the list."
    )


def nobody_to_decide(known: Sequence[str]) -> Text:
    if not known:
        return say("Nothing was decided: no user needs a decision now.")
    return say(
        "Nothing was decided: this user needs no decision. These do: {known}; `user-attention.json` has the list.",
        known=joined(and_more(codes(known[:_MOST_USERS]), len(known)), by=", "),
    )


def decisions_wait(count: int) -> Text:
    return say(
        "Nothing was started: {count} not been carried out yet. Say `retry` to me first.",
        count="1 decision has" if count == 1 else f"{number(count)} decisions have",
    )
