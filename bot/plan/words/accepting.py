"""What is let pass by name, and by whom: users carried over in part, tables that cannot be read, checks that fail, and
who is the same person.
"""

from __future__ import annotations

import re
from typing import Literal

from bot.plan import events as e
from bot.plan.commands import Refusal
from bot.plan.fold import after
from bot.plan.results import Attention
from bot.plan.run import Phase, Run
from bot.plan.talk import sentences
from bot.plan.words.said import Reply, Said

_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def accept(run: Run, said: Said) -> Reply | Refusal:
    """A reason of attention, a failing check, or a table that cannot be read: by name, and the last two with a why."""
    kind, colon, named = said.argument.partition(":")
    if colon and kind.strip("`").casefold() == "unreadable":
        return _leave_out(run, said, named.replace("`", ""))
    name, _, why = said.argument.partition(" ")
    name = name.strip("`:").casefold()
    if run.users is not None and name in run.open_reasons:
        return _accept_reason(run, said, run.users.attention[name], name)
    if any(finding.check == name for finding in run.waivable):
        return _waive(run, said, name, why.strip())
    if any(finding.check == name for finding in run.stopped_by(run.findings)):
        return Refusal(sentence=sentences.never_waived(name))
    return Refusal(sentence=sentences.nothing_to_accept(name, run.acceptable))


def _accept_reason(run: Run, said: Said, attention: Attention, reason: str) -> Reply | Refusal:
    if not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_list(f"accept {reason}"))
    accepted = e.ReasonAccepted(
        at=said.now, reason=reason, set_digest=attention.digest, user=said.user, ts=said.message.ts
    )
    return sentences.accepted(reason, attention.count), [accepted]


def _waive(run: Run, said: Said, check: str, why: str) -> Reply | Refusal:
    """In spite of what a check found, as long as it is the last one's finding that was read."""
    if not why:
        return Refusal(sentence=sentences.why_waived(check))
    if not (told := run.told_finding(check)) or not said.is_about(run, told):
        return Refusal(sentence=sentences.older_than_finding(check))
    if said.user in run.waived_by(check):
        return Refusal(sentence=sentences.waived_by_you(check))
    waived = e.CheckWaived(
        at=said.now, checkpoint=run.gate.name, check=check, why=why, user=said.user, ts=said.message.ts
    )
    missing = run.waivers_needed - len(after(run, waived).waived_by(check))
    return sentences.waived(check, missing, run.gate.signal), [waived]


def _leave_out(run: Run, said: Said, named: str) -> Reply | Refusal:
    """`named` is a table and the reason, with a space between; a table's name may hold spaces itself."""
    table = next((t for t in run.open_tables if f"{named} ".startswith(f"{t} ")), None)
    if table is None:
        return Refusal(sentence=sentences.no_such_table_to_leave_out(run.open_tables))
    why = named[len(table) :].strip()
    if not why:
        return Refusal(sentence=sentences.why_left_out(table))
    if not run.told_unreadable or not said.is_about(run, run.told_unreadable):
        return Refusal(sentence=sentences.older_than_unreadable())
    accepted = e.UnreadableAccepted(at=said.now, table=table, why=why, user=said.user, ts=said.message.ts)
    word = "retry" if run.phase is Phase.HELD else run.gate.signal
    return sentences.left_unread(table, after(run, accepted).open_tables, word), [accepted]


def decide(run: Run, said: Said) -> Reply | Refusal:
    match said.argument.replace("`", "").split():
        case [id_, "match", stack_id] if _UUID.fullmatch(id_) and _UUID.fullmatch(stack_id):
            choice: Literal["match", "create", "skip"] = "match"
        case [id_, "create"] if _UUID.fullmatch(id_):
            choice, stack_id = "create", ""
        case [id_, "skip"] if _UUID.fullmatch(id_):
            choice, stack_id = "skip", ""
        case _:
            return Refusal(sentence=sentences.how_to_decide())
    known = tuple(run.users.to_decide) if run.users is not None else ()
    if id_.lower() not in {*known, *run.decisions}:
        return Refusal(sentence=sentences.nobody_to_decide(known))
    if not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_list(f"decide {id_}"))
    decided = e.UserDecided(
        at=said.now, id=id_.lower(), choice=choice, stack_id=stack_id.lower(), user=said.user, ts=said.message.ts
    )
    return sentences.decided(decided.id, choice, decided.stack_id), [decided]
