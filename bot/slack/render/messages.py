"""How every post looks: a view of the run as blocks, as the same in plain text, and as metadata. Pure.

`render` is called when a post is made and again whenever it moves, and reads nothing but the run: so a message can
always be drawn anew. What people need in order to decide is in the message itself; `text` says all of it too.
The metadata is for machines and keeps its names: run_id, key, checkpoint, status, and the counts where they apply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bot.plan import display, posts, window
from bot.plan.findings import Finding, Verdict
from bot.plan.gate import Gate
from bot.plan.offer import Offer
from bot.plan.posts import Post
from bot.plan.results import ExportResult, HandoverResult, StepNote, UsersResult
from bot.plan.run import Run
from bot.plan.text import Code, Person, Strong, Text, Value, items, joined, say, stacked
from bot.plan.texts import sentences
from bot.plan.texts.alarms import time_needed
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.approvals import approved_by
from bot.plan.texts.foreign import code, codes, marked, seen
from bot.plan.texts.listing import and_more
from bot.plan.texts.next_step import people
from bot.ports import Headway
from bot.slack.render import buttons, checklist
from bot.slack.render.blocks import Block, Layout, laid_out
from bot.slack.render.header import header, parties
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
    status = display.status_of(run, post)
    anchor = say("Journal line {n} · `{hash}`", n=head[0], hash=head[1]) if head[0] else say("Journal: empty")
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
        case posts.Attached(says=says):
            layout = Layout(paragraphs=[says])
        case posts.Prose(said):
            layout = _prose(post, said, status)
        case ExportResult() as exported:
            layout = export(exported)
            counts = export_counts(exported)
        case UsersResult() as carried:
            layout = users(carried, run)
            counts = users_counts(carried)
        case StepNote() as note:
            layout = Layout(paragraphs=[marked(note.says)])
            counts = note.counts
        case HandoverResult() as handover:
            layout = closing(handover, run, anchor)
            counts = closing_counts(handover, run)
    text, blocks = laid_out(layout.naming(run.names))
    named = {"run_id": run.run_id, "key": post.key, "checkpoint": post.checkpoint, "status": status}
    metadata = {"event_type": post.kind, "event_payload": named | dict(counts)}
    blocks = [*blocks[:-1], *actions, *blocks[-1:]]  # above the footer
    return Message(text=text or "…", blocks=blocks, metadata=metadata)  # Slack refuses a message without words


# -- checkpoints ------------------------------------------------------------------------------------------------------


def _gate(run: Run, offer: Offer, status: str, anchor: Text) -> Layout:
    gate = run.plan.gate(offer.checkpoint)
    again = f", attempt {offer.number}" if offer.number > 1 else ""
    paragraphs = [
        say("*Status:* {status}", status=_gate_status(gate, offer, status)),
        *([_to_do(run, gate)] if gate.freezes else []),
        *_what_is_there(run, offer),
        say(
            "*Who may say it:* {may}, as a message that is exactly `{word}`, here or in this thread. It {starts}.",
            may=_whoever(run, offer),
            word=gate.signal,
            starts=gate.starts,
        ),
        say("*What must be true:* {claim}.", claim=gate.claim),
        *(_around_the_freeze(run, offer) if gate.freezes else []),
        waived(run),
        say("*If you stop here:* {left}.", left=gate.if_you_stop),
        parties(run),
        _evidence(offer),
    ]
    title = f"Checkpoint {run.plan.position(gate.name)} of {len(run.plan.gates)}: {gate.title}{again}"
    footer = say("Run `{run}` · {anchor}", run=run.run_id, anchor=anchor)
    return Layout(title=title, paragraphs=paragraphs, footer=footer)


def _gate_status(gate: Gate, offer: Offer, status: str) -> Text:
    by = say(", {by}", by=approved_by(offer)) if offer.by else ""
    match status:
        case "waiting" if offer.by:
            more = "1 more person" if offer.missing == 1 else f"{offer.missing} more people"
            return say(
                "⏳ waiting for `{word}` from {more}: {given} of {needed} so far{by}",
                word=gate.signal,
                more=more,
                given=len(offer.by),
                needed=offer.needed,
                by=by,
            )
        case "waiting":
            return say("⏳ waiting for `{word}`", word=gate.signal)
        case "verifying":
            return say("🔎 verifying{by}", by=by)
        case "passed":
            return say("✅ passed{by}", by=by)
        case "refused":
            return say(
                "❌ refused at attempt {attempt}: read the findings in this thread, fix them, and say `{word}` again",
                attempt=offer.attempt,
                word=gate.signal,
            )
        case _:
            return say("✖️ {status}: no word counts here; a newer message follows, or the run has ended", status=status)


def _whoever(run: Run, offer: Offer) -> Text:
    """Who may say the word, and how many of them it takes."""
    may = people(run.entitled.may)
    not_all = run.entitled.deny_same_person and run.plan.gate(offer.checkpoint).seals
    return joined(
        [
            say("{needed} of {may}, each", needed=offer.needed, may=may) if offer.needed > 1 else may,
            "but nobody who opened every earlier checkpoint" if not_all else "",
        ],
        by=", ",
    )


def _to_do(run: Run, gate: Gate) -> Text:
    """The way back comes before the way forward."""
    return stacked(
        say("*To do:*"),
        say(
            "1. Read below what users will feel, and how long it takes. The way back is the SQL in this thread, from "
            "anywhere; `cutover thaw`, or `thaw` said to me, does the same."
        ),
        say("2. {how}", how=_BOT_FREEZES if run.opened.rules.freeze_mode == "bot" else _PEOPLE_FREEZE),
        say("3. Switch the maintenance notice on."),
        say("4. Say `{word}`.", word=gate.signal),
    )


def _around_the_freeze(run: Run, offer: Offer) -> list[Text]:
    rules = run.opened.rules
    tls = run.opened.source_tls
    return [
        joined([say("*What users will feel:*"), sentences.USERS_FEEL, _GUARD if rules.hold_locks else ""]),
        joined([say("*Time needed:*"), time_needed(run.opened, offer.at), _window(run)]),
        say("*Not proven:* {what} To prove it: {fix}.", what=marked(tls.evidence), fix=marked(tls.fix))
        if tls is not None
        else Text(),
    ]


_BOT_FREEZES = say("Say `freeze` to me: I run what `cutover freeze-sql` prints. Or run it yourselves.")
_PEOPLE_FREEZE = say("Run what `cutover freeze-sql` prints in any SQL client, and close that session.")
_GUARD = (
    "From the export until it is checked, locks stop every writer, whatever they override: apps wait instead of being "
    "refused at once."
)


def _window(run: Run) -> Text:
    minutes = window.minutes(run)
    if minutes is None:
        return Text()
    practice = run.opened.practice
    fits = practice is None or practice.time_needed.total <= minutes * 60
    return joined(
        [
            f"The window is {duration(minutes * 60)} from the freeze on.",
            "" if fits else Strong("The work needs more than the window."),
        ]
    )


def _what_is_there(run: Run, offer: Offer) -> list[Text]:
    """What the step before left, as long as the run still has it."""
    if run.current != (offer.checkpoint, offer.number):
        return []
    details: list[Text] = []
    for part in run.plan.gate(offer.checkpoint).evidence:
        if part == "table-counts" and run.export is not None:
            details.append(stacked(largest(run.export), *left_out(run.export)))
        elif part == "user-counts" and run.users is not None:
            details += [attention(run.users, run.open_reasons), to_decide(run.users)]
    return details


_EVIDENCE = {
    "frozenAt": "frozen at",
    "lsn": "at log position",
    "metadataSha256": "metadata.json",
    "mappingSha256": "user-mapping.json",
    "attention_users": "users with attention",
}
_HASHES = frozenset({"metadataSha256", "mappingSha256"})
_DIGITS = 12


def _evidence(offer: Offer) -> Text:
    return stacked(
        say("*Evidence* `{digest}`, to which an approval is bound:", digest=offer.digest),
        items(each for name, value in offer.evidence.items() for each in _evidence_lines(name, value)),
    )


def _evidence_lines(name: str, value: Any) -> Sequence[Text]:
    if name == "checklist":
        return [
            say("`{key}`: `{text}`, {state}", key=seen(key), text=seen(item["text"]), state=_attested(item))
            for key, item in value.items()
        ]
    return [say("{label}: {value}", label=_EVIDENCE.get(name, name), value=_evidence_of(name, value))]


def _evidence_of(name: str, value: Any) -> Value:
    match name:
        case "waived":
            return joined(codes(value), by=", ")
        case "approvers":
            return people([str(user) for user in value])
        case "bytes":
            return f"{number(value)} ({size(value)})"
        case "attention":
            reasons = [joined([code(reason), Code(str(digest)[:_DIGITS])]) for reason, digest in value.items()]
            return joined(and_more(reasons[:_MOST_REASONS], len(reasons), "reason"), by="; ") or "none"
        case _ if name in _HASHES:
            return Code(str(value)[:_DIGITS])
        case _:
            return number(value) if isinstance(value, int) else code(str(value))


_COUNTS = ("tables", "rows", "bytes", "users", "created", "matched", "updated", "unmapped")


def _attested(item: Mapping[str, str]) -> Text:
    who = Person(item["by"])
    if item["state"] == "accepted":
        return say("accepted open by {who}: `{why}`", who=who, why=seen(item["why"]))
    return say("ticked by {who}", who=who)


def _gate_counts(offer: Offer) -> dict[str, Any]:
    evidence = offer.evidence
    counts = {name: evidence[name] for name in _COUNTS if name in evidence}
    return counts | {"attention": evidence["attention_users"]} if "attention_users" in evidence else counts


# -- findings and sentences -------------------------------------------------------------------------------------------


def _finding(finding: Finding) -> Layout:
    said = say(
        "{mark} *{check}* ({verdict}): {evidence}",
        mark=_MARK[finding.verdict],
        check=finding.check,
        verdict=finding.verdict.value,
        evidence=marked(finding.evidence),
    )
    return Layout(paragraphs=[said, say("*Fix:* {fix}", fix=marked(finding.fix)) if finding.fix else Text()])


OVER = say("*This is over.*")


def _prose(post: Post, text: Text, status: str) -> Layout:
    """A list is a paragraph of its own: when it is long, it is what gets cut, and not what is said below it."""
    alarm = post.kind == "cutover_alarm" and post.status == "waiting"
    shown = joined(["🔔", text]) if alarm else text or say("(nothing to say)")
    paragraphs = [Text(tuple(lines)) for _, lines in groupby(shown.lines, lambda line: line.item)]
    return Layout(paragraphs=[*paragraphs, OVER if alarm and status == "done" else Text()])
