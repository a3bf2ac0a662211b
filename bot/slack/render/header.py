"""The header of a run, the one post that is edited all night: where the run stands, what comes next, and the way back.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan.gate import Gate
from bot.plan.run import Phase, Run, doing
from bot.plan.texts.amounts import number
from bot.plan.texts.foreign import prose
from bot.plan.texts.sentences import names
from bot.ports import Headway
from bot.progress import in_words
from bot.slack.render.blocks import Layout, code

_MOST_PEOPLE = 20


def header(run: Run, headway: Headway | None, anchor: str) -> Layout:
    lines = "\n".join(_checkpoint_line(run, gate) for gate in run.plan.gates)
    now = doing(run)
    paragraphs = [
        parties(run),
        f"*Status:* {run.header_status}",
        lines,
        f"*Now:* {now[0].upper()}{now[1:].rstrip('.')}.",
        f"*Progress:* `{headway.progress.step}`: {prose(in_words(headway))}" if headway else "",
        f"*Next:* {_next(run)}",
        f"*The way back:* {way_back(run)}",
    ]
    return Layout(title=f"Cutover {run.run_id}", paragraphs=paragraphs, footer=anchor)


def parties(run: Run) -> str:
    parties = run.opened.parties
    return (
        f"*Source:* Supabase {code(parties.source_ref)}, database {code(parties.source_database)}\n"
        f"*Target:* Stack Auth project {code(parties.target_project)}"
    )


def _checkpoint_line(run: Run, gate: Gate) -> str:
    name = f"{run.plan.position(gate.name)}. {gate.title}"
    offers = [offer for offer in run.offers.values() if offer.checkpoint == gate.name]
    if not offers or gate in run.plan.behind(run.gate.name):
        return f"◻️ {name}: not yet"
    status = offers[-1].status
    mark = {"passed": "✅", "refused": "❌", "void": "✖️"}.get(status, "▶️")
    by = offers[-1].by
    who = f", on the word of {' and '.join(f'<@{user}>' for user in by)}" if by else ""
    waits = f" for `{gate.signal}`" if status == "waiting" else ""
    return f"{mark} {name}: {status}{waits}{who}"


def _next(run: Run) -> str:
    gate = run.gate
    match run.phase:
        case Phase.WAITING if not run.started:
            return f"{people(run.entitled.may)} may say `start` to me; then the first checkpoint is posted."
        case Phase.WAITING:
            return (
                f"{people(run.entitled.may)} may say `{gate.signal}` once {gate.claim}. It {gate.starts}. To "
                "every member I answer `status` when you mention me."
            )
        case Phase.VERIFYING:
            return (
                f"if nothing speaks against it, the {gate.title} checkpoint is passed; the findings are in its thread."
            )
        case Phase.RUNNING:
            following = run.plan.following(gate.name)
            return f"the {following.title} checkpoint." if following else "the closing summary."
        case Phase.HELD:
            return f"{people(run.entitled.may)} say `retry` or `abort` to me."
        case Phase.FREEZING:
            return f"what was done stands in the thread of this checkpoint; then somebody says `{gate.signal}`."
        case Phase.THAWING:
            if run.is_closed or not run.started:
                return "Supabase writes again."
            return "Supabase writes again, and the freeze gate is posted anew."
        case Phase.ABORTING:
            return "Supabase is thawed and proven to write again."
        case Phase.ABORTED:
            return "`cutover run --new` opens the next run."
        case Phase.DONE if run.is_dry_run_over:
            return "`cutover thaw` thaws Supabase, if it is not to stay frozen; `cutover run --new` opens the next run."
        case Phase.DONE:
            return "the import reads the bundle; its summary closes this channel's part of the night."


def way_back(run: Run) -> str:
    if run.phase is Phase.ABORTED:
        return "was taken: Supabase writes again."
    by_hand = "`cutover thaw` thaws it wherever the bundle is, and `cutover freeze-sql --thaw` prints it as SQL."
    if run.phase is Phase.DONE:
        return f"Supabase still has everything; {by_hand}"
    return f"say `abort` to me: I stop at a safe point, thaw Supabase and prove that it writes. Without me, {by_hand}"


def people(users: Sequence[str]) -> str:
    if len(users) <= _MOST_PEOPLE:
        return names(users)
    return f"{names(users[:_MOST_PEOPLE])} and {number(len(users) - _MOST_PEOPLE)} more"
