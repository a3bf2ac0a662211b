"""What is let pass by name, and by whom: users migrated incompletely, tables that cannot be read, checks that fail, and
who is the same person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from bot.plan import events as e
from bot.plan.checklist import ITEM
from bot.plan.commands import accept_grammar
from bot.plan.commands.checklist import offered_if_complete
from bot.plan.commands.utterance import Reply, Said
from bot.plan.findings import blocks
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Phase, Run
from bot.plan.text import Text, stacked
from bot.plan.texts import accepting, checklists, sentences

_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def accept(run: Run, said: Said) -> Reply | Refusal:
    """Reasons of attention, failing checks and tables that cannot be read, by their names: all of them or none."""
    known = _known(run)
    named = accept_grammar.named(said.argument, known)
    if named.left_over or not named.names:
        return Refusal(sentence=_not_a_name(run, named))
    happened: list[e.Event] = []
    tells: list[_Tells] = []
    for name in named.names:
        verdict = known[name](run, said, named.why)
        if isinstance(verdict, Refusal):
            return verdict
        events, tell = verdict
        happened += events
        tells.append(tell)
    then = after(run, *happened)
    if run.open_items:
        happened += offered_if_complete(then, said)
    return stacked(*(tell(then) for tell in tells)), happened


_Tells = Callable[[Run], Text]
"""The sentence for its author, from the run as it is once all that they said has happened."""
_Accepts = Callable[[Run, Said, str], tuple[Sequence[e.Event], _Tells] | Refusal]


def _known(run: Run) -> Mapping[str, _Accepts]:
    """By the names that mean something now, also when that is why nothing comes of it."""
    reasons = run.users.attention if run.users is not None else {}
    checks = dict.fromkeys(finding.check for finding in run.findings if blocks([finding]))
    tables = dict.fromkeys((*run.open_tables, *run.left_unread))
    items = run.checklist.items if run.checklist is not None else ()
    return {
        **{f"{ITEM}{key}": partial(_accept_item, key) for key in items},
        **{reason: partial(_accept_reason, reason) for reason in reasons},
        **{check: partial(_waive, check) for check in checks},
        **{f"unreadable:{table}": partial(_leave_out, table) for table in tables},
    }


def _not_a_name(run: Run, named: accept_grammar.Named) -> Text:
    """What was said in place of a name: perhaps the why, without its colon."""
    if named.left_over.casefold().startswith("unreadable"):
        return accepting.no_such_table_to_leave_out(run.open_tables)
    if named.names and not named.has_why:
        return accepting.why_without_colon(named.left_over, named.names)
    name = named.left_over if named.has_why else named.left_over.partition(" ")[0]
    return accepting.nothing_to_accept(name, run.acceptable)


def _accept_reason(reason: str, run: Run, said: Said, why: str) -> tuple[Sequence[e.Event], _Tells] | Refusal:
    assert run.users is not None
    if reason not in run.open_reasons:
        return Refusal(sentence=accepting.nothing_to_accept(reason, run.acceptable))
    if not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_list(f"accept {reason}"))
    attention = run.users.attention[reason]
    accepted = e.ReasonAccepted(
        at=said.now, reason=reason, set_digest=attention.digest, user=said.user, ts=said.message.ts, why=why
    )
    return [accepted], lambda then: accepting.accepted(reason, attention.count)


def _accept_item(key: str, run: Run, said: Said, why: str) -> tuple[Sequence[e.Event], _Tells] | Refusal:
    """The gate may be offered with this item open."""
    assert run.checklist is not None
    item = run.checklist.items[key]
    if run.phase is not Phase.WAITING or item.state != "open":
        return Refusal(sentence=accepting.nothing_to_accept(f"{ITEM}{key}", run.acceptable))
    if not why:
        return Refusal(sentence=checklists.why_item(key))
    if not said.is_about_the_checklist(run):
        return Refusal(sentence=checklists.older_than_checklist(run.gate, key))
    accepted = e.ItemAccepted(at=said.now, checkpoint=run.at, item=key, why=why, user=said.user, ts=said.message.ts)
    return [accepted], lambda then: checklists.item_accepted(key, then.open_items, run.gate)


def _waive(check: str, run: Run, said: Said, why: str) -> tuple[Sequence[e.Event], _Tells] | Refusal:
    """In spite of what the check found last, all of it, and of nothing else that it may find."""
    found = [finding for finding in run.stopped_by(run.findings) if finding.check == check]
    if not found:
        return Refusal(sentence=accepting.nothing_to_accept(check, run.acceptable))
    if not all(finding.waivable for finding in found):
        return Refusal(sentence=accepting.never_waived(check))
    if run.phase is Phase.VERIFYING:
        return Refusal(sentence=accepting.waived_while_checked(check))
    if not why:
        return Refusal(sentence=accepting.why_waived(check))
    if not all((told := run.told_finding(finding)) and said.is_about(run, told) for finding in found):
        return Refusal(sentence=accepting.older_than_finding(check))
    waived = [
        e.CheckWaived(
            at=said.now,
            checkpoint=run.gate.name,
            check=check,
            why=why,
            user=said.user,
            ts=said.message.ts,
            digest=finding.digest,
        )
        for finding in found
        if said.user not in run.waived_by(finding)
    ]
    if not waived:
        return Refusal(sentence=accepting.waived_by_you(check))

    def tell(then: Run) -> Text:
        missing = max(then.waivers_needed - len(then.waived_by(finding)) for finding in found)
        return accepting.waived(check, missing, then.gate.signal)

    return waived, tell


def _leave_out(table: str, run: Run, said: Said, why: str) -> tuple[Sequence[e.Event], _Tells] | Refusal:
    if table not in run.open_tables:
        return Refusal(sentence=accepting.no_such_table_to_leave_out(run.open_tables))
    if not why:
        return Refusal(sentence=accepting.why_left_out(table))
    if not run.told_unreadable or not said.is_about(run, run.told_unreadable):
        return Refusal(sentence=accepting.older_than_unreadable())
    accepted = e.UnreadableAccepted(at=said.now, table=table, why=why, user=said.user, ts=said.message.ts)
    word = "retry" if run.phase is Phase.HELD else run.gate.signal
    return [accepted], lambda then: accepting.left_unread(table, then.open_tables, word)


def decide(run: Run, said: Said) -> Reply | Refusal:
    match said.argument.replace("`", "").split():
        case [id_, "match", stack_id] if _UUID.fullmatch(id_) and _UUID.fullmatch(stack_id):
            choice: Literal["match", "create", "skip"] = "match"
        case [id_, "create"] if _UUID.fullmatch(id_):
            choice, stack_id = "create", ""
        case [id_, "skip"] if _UUID.fullmatch(id_):
            choice, stack_id = "skip", ""
        case _:
            return Refusal(sentence=accepting.how_to_decide())
    known = tuple(run.users.to_decide) if run.users is not None and not run.is_closed else ()
    if run.is_closed or id_.lower() not in {*known, *run.decisions}:
        return Refusal(sentence=accepting.nobody_to_decide(known))
    if not said.is_about_the_offer(run):
        return Refusal(sentence=sentences.older_than_list(f"decide {id_}"))
    decided = e.UserDecided(
        at=said.now, id=id_.lower(), choice=choice, stack_id=stack_id.lower(), user=said.user, ts=said.message.ts
    )
    return accepting.decided(decided.id, choice, decided.stack_id), [decided]
