"""How every post looks: a view of the run as blocks, as the same in plain text, and as metadata. Pure.

`render` is called when a post is made and again whenever it moves, and reads nothing but the run: so a message can
always be drawn anew. What people need in order to decide stands in the message itself; `text` says all of it too.
The metadata is for machines and keeps its names: run_id, key, checkpoint, status, and the counts where they apply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.pace import in_words
from bot.plan.checkpoints import BY_NAME, EXPORT, FREEZE, PLAN, USERS, Checkpoint
from bot.plan.findings import Finding, Verdict
from bot.plan.results import ExportResult, HandoverResult, UsersResult
from bot.plan.run import Offer, Phase, Run, doing
from bot.plan.talk import posts
from bot.plan.talk.amounts import duration, number, size
from bot.plan.talk.posts import Post
from bot.plan.talk.sentences import names, time_needed
from bot.ports import Headway
from bot.slack.blocks import Block, Layout, Table, and_more, code, laid_out, plain, prose

_MOST_TABLES = 15
_MOST_REASONS = 20
_MOST_PEOPLE = 20

_MARK = {Verdict.PASS: "✅", Verdict.WARN: "⚠️", Verdict.FAIL: "❌"}
_USERS_FEEL = (
    "from the freeze on, pages that only read still load; nothing can be saved, nobody can sign up or sign in, and who "
    "is signed in drops out when the session is due for renewal"
)


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
    match post.body:
        case posts.Header():
            layout = _header(run, headway, anchor)
        case posts.Gate(checkpoint, number_of_offer):
            offer = run.offers[checkpoint, number_of_offer]
            layout = _gate(run, offer, status, anchor)
            counts = _gate_counts(offer)
        case Finding() as finding:
            layout = _finding(finding)
            counts = {"check": finding.check}
        case posts.Prose(text):
            layout = _prose(post, text, status)
        case ExportResult() as export:
            layout = _export(export)
            counts = _export_counts(export)
        case UsersResult() as users:
            layout = _users(users, run)
            counts = _users_counts(users)
        case HandoverResult() as handover:
            layout = _closing(handover, run, anchor)
            counts = _closing_counts(handover, run)
    text, blocks = laid_out(layout)
    named = {"run_id": run.run_id, "key": post.key, "checkpoint": post.checkpoint, "status": status}
    metadata = {"event_type": post.kind, "event_payload": named | dict(counts)}
    return Message(text=text or "…", blocks=blocks, metadata=metadata)  # Slack refuses a message without words


# -- the header -------------------------------------------------------------------------------------------------------


def _header(run: Run, headway: Headway | None, anchor: str) -> Layout:
    lines = "\n".join(_checkpoint_line(run, checkpoint) for checkpoint in PLAN)
    now = doing(run)
    paragraphs = [
        _parties(run),
        f"*Status:* {run.header_status}",
        lines,
        f"*Now:* {now[0].upper()}{now[1:].rstrip('.')}.",
        f"*Progress:* `{headway.progress.step}`: {prose(in_words(headway))}" if headway else "",
        f"*Next:* {_next(run)}",
        f"*The way back:* {_way_back(run)}",
    ]
    return Layout(title=f"Cutover {run.run_id}", paragraphs=paragraphs, footer=anchor)


def _parties(run: Run) -> str:
    parties = run.opened.parties
    return (
        f"*Source:* Supabase {code(parties.source_ref)}, database {code(parties.source_database)}\n"
        f"*Target:* Stack Auth project {code(parties.target_project)}"
    )


def _checkpoint_line(run: Run, checkpoint: Checkpoint) -> str:
    name = f"{checkpoint.number}. {checkpoint.title}"
    offers = [offer for offer in run.offers.values() if offer.checkpoint == checkpoint.name]
    current = run.gate.number if run.current else 0
    if not offers or checkpoint.number > current:
        return f"◻️ {name}: not yet"
    status = offers[-1].status
    mark = {"passed": "✅", "refused": "❌", "void": "✖️"}.get(status, "▶️")
    by = offers[-1].approval
    who = f", on the word of <@{by.user}>" if by is not None and status in {"passed", "verifying"} else ""
    waits = f" for `{checkpoint.signal}`" if status == "waiting" else ""
    return f"{mark} {name}: {status}{waits}{who}"


def _next(run: Run) -> str:
    gate = run.gate
    match run.phase:
        case Phase.WAITING:
            return (
                f"{_people(run.opened.approvers)} may say `{gate.signal}` once {gate.claim}. It {gate.starts}. To "
                "every member I answer `status` when you mention me."
            )
        case Phase.VERIFYING:
            return (
                f"if nothing speaks against it, checkpoint {gate.number} is passed; the findings stand in its thread."
            )
        case Phase.RUNNING:
            following = PLAN[gate.number].title if gate.number < len(PLAN) else ""
            return f"checkpoint {gate.number + 1} ({following})." if following else "the closing summary."
        case Phase.HELD:
            return f"{_people(run.opened.approvers)} say `retry` or `abort` to me."
        case Phase.ABORTING:
            return "Supabase is thawed and proven to write again."
        case Phase.ABORTED:
            return "`cutover run --new` opens the next run."
        case Phase.DONE:
            return "the import reads the bundle; its summary closes this channel's part of the night."


def _way_back(run: Run) -> str:
    if run.phase is Phase.ABORTED:
        return "was taken: Supabase writes again."
    by_hand = "`cutover thaw` thaws it wherever the bundle is, and `cutover freeze-sql --thaw` prints it as SQL."
    if run.phase is Phase.DONE:
        return f"Supabase still has everything; {by_hand}"
    return f"say `abort` to me: I stop at a safe point, thaw Supabase and prove that it writes. Without me, {by_hand}"


# -- checkpoints ------------------------------------------------------------------------------------------------------


def _gate(run: Run, offer: Offer, status: str, anchor: str) -> Layout:
    gate = BY_NAME[offer.checkpoint]
    again = f", offer {offer.number}" if offer.number > 1 else ""
    paragraphs = [
        f"*Status:* {_gate_status(gate, offer, status)}",
        _parties(run),
        f"*What must be true:* {gate.claim}.",
        *(_freeze_ways(run, offer) if gate is FREEZE else []),
        *_what_is_there(run, offer),
        _evidence(offer),
        f"*Who may say it:* {_people(run.opened.approvers)}, as a message that is exactly `{gate.signal}`, here or in "
        f"this thread. It {gate.starts}.",
        f"*If you stop here:* {gate.if_you_stop}.",
    ]
    title = f"Checkpoint {gate.number} of {len(PLAN)}: {gate.title}{again}"
    return Layout(title=title, paragraphs=paragraphs, footer=f"Run {code(run.run_id)} · {anchor}")


def _gate_status(gate: Checkpoint, offer: Offer, status: str) -> str:
    by = f" on the word of <@{offer.approval.user}>" if offer.approval is not None else ""
    match status:
        case "waiting":
            return f"⏳ waiting for `{gate.signal}`"
        case "verifying":
            return f"🔎 verifying{by}: I am trying to prove it wrong"
        case "passed":
            return f"✅ passed{by}"
        case "refused":
            return (
                f"❌ refused at attempt {offer.attempt}: read the findings in this thread, mend them, and say "
                f"`{gate.signal}` again"
            )
        case _:
            return (
                f"✖️ {status}: this checkpoint takes no word any more; a newer message takes its place, or the run ended"
            )


def _freeze_ways(run: Run, offer: Offer) -> list[str]:
    return [
        f"*What users will feel:* {_USERS_FEEL}.",
        f"*Time needed:* {time_needed(run.opened, offer.at)}",
        "*The way back, before the way forward:* `cutover freeze-sql --thaw` prints the SQL that thaws Supabase, and "
        "`cutover thaw` does it.",
        "*The way forward:* `cutover freeze-sql` prints the SQL that freezes Supabase. Run it in any SQL client, close "
        "that session, switch the maintenance notice on, and then say the word.",
    ]


def _what_is_there(run: Run, offer: Offer) -> list[str]:
    """What the step before left, as long as the run still has it."""
    if run.current != (offer.checkpoint, offer.number):
        return []
    if offer.checkpoint == EXPORT.name and run.export is not None:
        return ["\n".join([_largest(run.export), *_left_out(run.export)])]
    if offer.checkpoint == USERS.name and run.users is not None:
        return [_attention(run.users, run.open_reasons)]
    return []


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
        if name == "approvers":
            lines.append(f"• approvers: {_people([str(user) for user in value])}")
        elif name == "bytes":
            lines.append(f"• bytes: {number(value)} ({size(value)})")
        elif name == "attention":
            reasons = [f"{code(reason)} {code(str(digest)[:12])}" for reason, digest in value.items()]
            shown = "; ".join(and_more(reasons[:_MOST_REASONS], len(reasons), "reasons"))
            lines.append(f"• attention: {shown or 'none'}")
        else:
            lines.append(f"• {plain(label)}: {number(value) if isinstance(value, int) else code(str(value))}")
    return "\n".join(lines)


def _gate_counts(offer: Offer) -> dict[str, Any]:
    evidence = offer.evidence
    if offer.checkpoint == EXPORT.name:
        return {name: evidence[name] for name in ("tables", "rows", "bytes")}
    if offer.checkpoint == USERS.name:
        counts = {name: evidence[name] for name in ("users", "created", "matched", "updated", "unmapped")}
        return counts | {"attention": evidence["attention_users"]}
    return {}


def _people(users: Sequence[str]) -> str:
    if len(users) <= _MOST_PEOPLE:
        return names(users)
    return f"{names(users[:_MOST_PEOPLE])} and {number(len(users) - _MOST_PEOPLE)} more"


# -- findings and sentences -------------------------------------------------------------------------------------------


def _finding(finding: Finding) -> Layout:
    mend = f"*Mend:* {prose(finding.mend)}" if finding.mend else ""
    said = f"{_MARK[finding.verdict]} *{plain(finding.check)}* ({finding.verdict.value}): {prose(finding.evidence)}"
    return Layout(paragraphs=[said, mend])


def _prose(post: Post, text: str, status: str) -> Layout:
    over = "_This is over._" if post.kind == "cutover_alarm" and post.status == "waiting" and status == "done" else ""
    mark = "🔔 " if post.kind == "cutover_alarm" and post.status == "waiting" else ""
    return Layout(paragraphs=[f"{mark}{text}" if text.strip() else "(nothing to say)", over])


# -- summaries --------------------------------------------------------------------------------------------------------


def _export(result: ExportResult) -> Layout:
    shown = result.largest[:_MOST_TABLES]
    table = Table(
        heading=("Table", "Rows", "Size"),
        rows=[(total.name, number(total.rows), size(total.bytes)) for total in shown],
    )
    paragraphs = [
        f"*Exported:* {number(result.tables)} tables, {number(result.rows)} rows, {size(result.bytes)} "
        f"({number(result.bytes)} bytes), {number(result.auth_users)} of the rows are users; all from one snapshot, "
        f"taken at {result.taken_at:%Y-%m-%d %H:%M:%S} UTC, in {duration(result.duration_ms / 1000)}.",
        f"*metadata.json:* `{result.sha256}`",
        _attempt_before(result),
        "\n".join(_left_out(result)),
        "\n".join(_users_ids(result)),
        f"*The largest {len(shown)} of {number(result.tables)} tables:*" if shown else "",
    ]
    return Layout(title="What was exported", paragraphs=paragraphs, table=table if shown else None)


def _users_ids(result: ExportResult) -> list[str]:
    told = (
        (
            result.by_value,
            "*Users' ids without a key:* in these columns, which the import has to rewrite as well",
        ),
        (result.suspects, "*Users' ids elsewhere:* seen inside these columns, which nothing rewrites"),
    )
    return [
        f"{what}: {', '.join(and_more([code(name) for name in names[:_MOST_TABLES]], len(names), 'columns'))}."
        for names, what in told
        if names
    ]


def _attempt_before(result: ExportResult) -> str:
    if result.kept_files:
        return (
            f"*After an attempt that was cut off:* {number(result.kept_files)} of its files were kept, because the "
            "database had provably not changed since its snapshot."
        )
    if result.retaken:
        return "*After an attempt that was cut off:* all was taken again, because the database may have changed since."
    return ""


def _largest(result: ExportResult) -> str:
    each = [f"{code(total.name)} {number(total.rows)} rows" for total in result.largest[:5]]
    return f"*The largest tables:* {', '.join(and_more(each, result.tables, 'tables'))}."


def _left_out(result: ExportResult) -> list[str]:
    reasons = [f"{number(count)} × {plain(reason)}" for reason, count in sorted(result.left_out.items())]
    left_out = "; ".join(and_more(reasons[:_MOST_REASONS], len(reasons), "reasons"))
    return [
        f"*Left out:* {left_out or 'nothing'}. `metadata.json` names each with its reason.",
        f"*Not in the bundle:* {number(result.storage_objects)} files in Storage, {size(result.storage_bytes)}; only "
        "what the database says about them was exported.",
    ]


def _export_counts(result: ExportResult) -> dict[str, int]:
    return {"tables": result.tables, "rows": result.rows, "bytes": result.bytes}


def _users(result: UsersResult, run: Run) -> Layout:
    rows = [
        ("Exported", result.users),
        ("Created", result.created),
        ("Matched", result.matched),
        ("Updated", result.updated),
        ("Not mapped", result.unmapped),
        ("With attention (overlaps the others)", result.attention_users),
    ]
    paragraphs = [
        f"{_outcomes(result)}, in {duration(result.duration_ms / 1000)}.",
        _attention(result, run.open_reasons if run.users == result else ()),
        f"*user-mapping.json:* `{result.mapping_sha256}`, to be kept until {result.retain_until:%Y-%m-%d}.",
    ]
    table = Table(heading=("Outcome", "Users"), rows=[(name, number(count)) for name, count in rows])
    return Layout(title="What became of the users", paragraphs=paragraphs, table=table)


def _attention(result: UsersResult, still_open: Sequence[str]) -> str:
    if not result.attention:
        return "*Attention:* none; every user was carried over whole."
    lines = [f"*Attention:* {number(result.attention_users)} users could not be carried over whole."]
    reasons = sorted(result.attention.items())
    each = []
    for reason, attention in reasons[:_MOST_REASONS]:
        word = f" Say {code(f'accept {reason}')} to me to accept that." if reason in still_open else ""
        each.append(f"• {number(attention.count)} × {code(reason)}: {prose(attention.todo.rstrip('.'))}.{word}")
    lines += and_more(each, len(reasons), "reasons")
    return "\n".join([*lines, "`user-attention.json` names each user by id."])


def _outcomes(result: UsersResult) -> str:
    return (
        f"*Users:* {number(result.users)} exported, {number(result.created)} created, {number(result.matched)} "
        f"matched, {number(result.updated)} updated, {number(result.unmapped)} not mapped"
    )


def _users_counts(result: UsersResult) -> dict[str, int]:
    counts = result.model_dump(include={"users", "created", "matched", "updated", "unmapped"})
    return counts | {"attention": result.attention_users}


def _closing(result: HandoverResult, run: Run, anchor: str) -> Layout:
    export, users = run.export, run.users
    accepted = ", ".join(code(reason) for reason in sorted(run.accepted))
    paragraphs = [
        _parties(run),
        f"*Exported:* {number(export.tables)} tables, {number(export.rows)} rows, {size(export.bytes)}."
        if export
        else "",
        f"{_outcomes(users)}, {number(users.attention_users)} with attention." if users else "",
        f"*Accepted:* users carried over in part because of {accepted}." if accepted else "",
        f"*The digest over everything:* `{result.digest}`\nIt stands over {number(result.files)} files and over the "
        f"journal up to line {number(result.journal_line)} (`{result.journal_hash}`). `cutover verify` reads all of it "
        "again.",
        "*What the import needs:* `metadata.json` names every file with its columns, the order of import and the "
        "columns that refer to users; `user-mapping.json` has the Stack Auth id for each Supabase id."
        + (f" Keep both until {users.retain_until:%Y-%m-%d}." if users else ""),
        f"*If you stop here:* Supabase stays frozen. {_way_back(run)}",
        "*The freeze* is watched only while `cutover run` is running. To prove the freeze again: "
        "`cutover doctor --freeze`."
        if run.freeze
        else "",
    ]
    return Layout(title=f"Cutover {run.run_id}: handed over", paragraphs=paragraphs, footer=anchor)


def _closing_counts(result: HandoverResult, run: Run) -> dict[str, Any]:
    export = _export_counts(run.export) if run.export is not None else {}
    users = _users_counts(run.users) if run.users is not None else {}
    return {**export, **users, "digest": result.digest}
