"""How every post looks: a view of the run as blocks, as the same in plain text, and as metadata. Pure.

`render` is called when a post is made and again whenever it moves, and reads nothing but the run: so a message can
always be drawn anew. What people need in order to decide stands in the message itself; `text` says all of it too.
The metadata is for machines and keeps its names: run_id, key, checkpoint, status, and the counts where they apply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bot.plan import posts
from bot.plan.findings import Finding, Verdict
from bot.plan.gate import Gate
from bot.plan.offer import Offer
from bot.plan.posts import Post
from bot.plan.results import ExportResult, HandoverResult, StepNote, UsersResult
from bot.plan.run import Run
from bot.plan.texts import sentences
from bot.plan.texts.alarms import time_needed
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.foreign import plain, prose
from bot.ports import Headway
from bot.slack.render import buttons, checklist
from bot.slack.render.blocks import Block, Layout, and_more, code, laid_out
from bot.slack.render.header import header, parties, people
from bot.slack.render.summaries import (
    attention,
    closing,
    closing_counts,
    export,
    export_counts,
    largest,
    left_out,
    to_decide,
    users,
    users_counts,
    waived,
)

_MOST_REASONS = 20

_MARK = {Verdict.PASS: "✅", Verdict.WARN: "⚠️", Verdict.FAIL: "❌"}


@dataclass(frozen=True, kw_only=True)
class Message:
    """`blocks` may be empty; `text` never is. `metadata` is Slack's: event_type and event_payload."""

    text: str
    blocks: Sequence[Block]
    metadata: Mapping[str, Any]


def render(run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> Message:
    """The post as it should look now. `headway` is shown by the header alone; `head` is the journal's."""
    status = run.status_of(post)
    anchor = f"Journal line {head[0]} · `{head[1]}`" if head[0] else "Journal: empty"
    counts: Mapping[str, Any] = {}
    actions: Sequence[Block] = ()
    match post.body:
        case posts.Header():
            layout = header(run, headway, anchor)
        case posts.Gate(checkpoint, number_of_offer):
            offer = run.offers[checkpoint, number_of_offer]
            layout = _gate(run, offer, status, anchor)
            counts = _gate_counts(offer)
            actions = buttons.beside(run, offer)
        case posts.Checklist() as listed:
            layout = checklist.checklist(run, listed, status, anchor)
            actions = checklist.beside(run, listed)
        case Finding() as finding:
            layout = _finding(finding)
            counts = {"check": finding.check}
        case posts.Verbatim(says, copied):
            layout = Layout(paragraphs=[says], copied=copied)
        case posts.Prose(text):
            layout = _prose(post, text, status)
        case ExportResult() as exported:
            layout = export(exported)
            counts = export_counts(exported)
        case UsersResult() as carried:
            layout = users(carried, run)
            counts = users_counts(carried)
        case StepNote() as note:
            layout = Layout(paragraphs=[prose(note.says)])
            counts = note.counts
        case HandoverResult() as handover:
            layout = closing(handover, run, anchor)
            counts = closing_counts(handover, run)
    text, blocks = laid_out(layout)
    named = {"run_id": run.run_id, "key": post.key, "checkpoint": post.checkpoint, "status": status}
    metadata = {"event_type": post.kind, "event_payload": named | dict(counts)}
    blocks = [*blocks[:-1], *actions, *blocks[-1:]]  # above the footer
    return Message(text=text or "…", blocks=blocks, metadata=metadata)  # Slack refuses a message without words


# -- checkpoints ------------------------------------------------------------------------------------------------------


def _gate(run: Run, offer: Offer, status: str, anchor: str) -> Layout:
    gate = run.plan.gate(offer.checkpoint)
    again = f", offer {offer.number}" if offer.number > 1 else ""
    paragraphs = [
        f"*Status:* {_gate_status(gate, offer, status)}",
        parties(run),
        f"*What must be true:* {gate.claim}.",
        *(_freeze_ways(run, offer) if gate.freezes else []),
        *_what_is_there(run, offer),
        waived(run),
        _evidence(offer),
        f"*Who may say it:* {_whoever(run, offer)}, as a message that is exactly `{gate.signal}`, here or in "
        f"this thread. It {gate.starts}.",
        f"*If you stop here:* {gate.if_you_stop}.",
    ]
    title = f"Checkpoint {run.plan.position(gate.name)} of {len(run.plan.gates)}: {gate.title}{again}"
    return Layout(title=title, paragraphs=paragraphs, footer=f"Run {code(run.run_id)} · {anchor}")


def _gate_status(gate: Gate, offer: Offer, status: str) -> str:
    by = f" on the word of {' and '.join(f'<@{user}>' for user in offer.by)}" if offer.by else ""
    match status:
        case "waiting" if offer.by:
            more = "another person" if offer.missing == 1 else f"{offer.missing} other people"
            return f"⏳ waiting for `{gate.signal}` from {more}: {len(offer.by)} of {offer.needed} so far{by}"
        case "waiting":
            return f"⏳ waiting for `{gate.signal}`"
        case "verifying":
            return f"🔎 verifying{by}: I am trying to prove it wrong"
        case "passed":
            return f"✅ passed{by}"
        case "refused":
            return (
                f"❌ refused at attempt {offer.attempt}: read the findings in this thread, fix them, and say "
                f"`{gate.signal}` again"
            )
        case _:
            return (
                f"✖️ {status}: this checkpoint takes no word any more; a newer message takes its place, or the run ended"
            )


def _whoever(run: Run, offer: Offer) -> str:
    """Who may say the word, and how many of them it takes."""
    may = people(run.entitled.may)
    if offer.needed > 1:
        may = f"{offer.needed} of {may.replace(' or ', ' and ')}, each"
    if run.entitled.deny_same_person and run.plan.gate(offer.checkpoint).seals:
        may += ", but nobody who has opened every gate before,"
    return may


def _freeze_ways(run: Run, offer: Offer) -> list[str]:
    rules = run.opened.rules
    forward = (
        "say `freeze` to me, and I run what `cutover freeze-sql` prints, or run it yourselves. Then switch the "
        "maintenance notice on, and say the word."
        if rules.freeze_mode == "bot"
        else "`cutover freeze-sql` prints the SQL that freezes Supabase. Run it in any SQL client, close that session, "
        "switch the maintenance notice on, and then say the word."
    )
    guard = (
        " From the export until it is checked, locks keep everybody from writing whatever they override: apps then "
        "wait instead of being refused at once."
        if rules.hold_locks
        else ""
    )
    tls = run.opened.source_tls
    unproven = [f"*Not proven:* {prose(tls.evidence)} To prove it: {prose(tls.fix)}."] if tls is not None else []
    return [
        *unproven,
        f"*What users will feel:* {sentences.USERS_FEEL}{guard}",
        f"*Time needed:* {time_needed(run.opened, offer.at)}{_window(run)}",
        "*The way back, before the way forward:* the SQL in this thread thaws Supabase from anywhere; `cutover thaw` "
        "does it too, and so does `thaw` said to me.",
        f"*The way forward:* {forward}",
    ]


def _window(run: Run) -> str:
    minutes = run.opened.rules.window_minutes
    if minutes is None:
        return ""
    practice = run.opened.practice
    fits = practice is None or practice.time_needed.total <= minutes * 60
    too_short = "" if fits else " *That is more than the window.*"
    return f" The window is {duration(minutes * 60)} from the freeze on.{too_short}"


def _what_is_there(run: Run, offer: Offer) -> list[str]:
    """What the step before left, as long as the run still has it."""
    if run.current != (offer.checkpoint, offer.number):
        return []
    details: list[str] = []
    for part in run.plan.gate(offer.checkpoint).evidence:
        if part == "tables" and run.export is not None:
            details.append("\n".join([largest(run.export), *left_out(run.export)]))
        elif part == "users" and run.users is not None:
            details += [attention(run.users, run.open_reasons), to_decide(run.users)]
    return details


_EVIDENCE = {
    "source": "source",
    "target": "target",
    "frozenAt": "frozen at",
    "lsn": "at log position",
    "metadataSha256": "metadata.json",
    "mappingSha256": "user-mapping.json",
    "attention_users": "users with attention",
}


def _evidence(offer: Offer) -> str:
    lines = [f"*Evidence* `{offer.digest}`, to which an approval is bound:"]
    for name, value in offer.evidence.items():
        label = _EVIDENCE.get(name, name)
        if name == "waived":
            lines.append(f"• waived: {', '.join(code(check) for check in value)}")
        elif name == "approvers":
            lines.append(f"• approvers: {people([str(user) for user in value])}")
        elif name == "bytes":
            lines.append(f"• bytes: {number(value)} ({size(value)})")
        elif name == "checklist":
            lines += [f"• {code(key)}: {code(item['text'])}, {_attested(item)}" for key, item in value.items()]
        elif name == "attention":
            reasons = [f"{code(reason)} {code(str(digest)[:12])}" for reason, digest in value.items()]
            shown = "; ".join(and_more(reasons[:_MOST_REASONS], len(reasons), "reasons"))
            lines.append(f"• attention: {shown or 'none'}")
        else:
            lines.append(f"• {plain(label)}: {number(value) if isinstance(value, int) else code(str(value))}")
    return "\n".join(lines)


_COUNTS = ("tables", "rows", "bytes", "users", "created", "matched", "updated", "unmapped")


def _attested(item: Mapping[str, str]) -> str:
    if item["state"] == "accepted":
        return f"accepted open by <@{item['by']}>: {code(item['why'])}"
    return f"ticked by <@{item['by']}>"


def _gate_counts(offer: Offer) -> dict[str, Any]:
    evidence = offer.evidence
    counts = {name: evidence[name] for name in _COUNTS if name in evidence}
    return counts | {"attention": evidence["attention_users"]} if "attention_users" in evidence else counts


# -- findings and sentences -------------------------------------------------------------------------------------------


def _finding(finding: Finding) -> Layout:
    fix = f"*Fix:* {prose(finding.fix)}" if finding.fix else ""
    said = f"{_MARK[finding.verdict]} *{plain(finding.check)}* ({finding.verdict.value}): {prose(finding.evidence)}"
    return Layout(paragraphs=[said, fix])


def _prose(post: Post, text: str, status: str) -> Layout:
    over = "_This is over._" if post.kind == "cutover_alarm" and post.status == "waiting" and status == "done" else ""
    mark = "🔔 " if post.kind == "cutover_alarm" and post.status == "waiting" else ""
    # A list is a paragraph of its own: when it is long, it is what gets cut, and not what is said below it.
    lines = groupby(
        (f"{mark}{text}" if text.strip() else "(nothing to say)").split("\n"), lambda line: line[:2] == "• "
    )
    return Layout(paragraphs=[*("\n".join(together) for _, together in lines), over])
