"""What a step achieved, in numbers that people can decide by, and the closing summary of the night. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.plan.results import ExportResult, HandoverResult, UsersResult
from bot.plan.run import Run
from bot.plan.texts.amounts import duration, number, size
from bot.plan.texts.foreign import plain, prose, shown
from bot.slack.render.blocks import Layout, Table, and_more, code
from bot.slack.render.header import parties, way_back

_MOST_TABLES = 15
_MOST_REASONS = 20
_MOST_LEFT = 12
_MOST_TO_DECIDE = 10


def export(result: ExportResult) -> Layout:
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
        "\n".join(left_out(result)),
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


def largest(result: ExportResult) -> str:
    each = [f"{code(total.name)} {number(total.rows)} rows" for total in result.largest[:5]]
    return f"*The largest tables:* {', '.join(and_more(each, result.tables, 'tables'))}."


def left_out(result: ExportResult) -> list[str]:
    reasons = [f"{number(count)} × {plain(reason)}" for reason, count in sorted(result.left_out.items())]
    left_out = "; ".join(and_more(reasons[:_MOST_REASONS], len(reasons), "reasons"))
    return [
        f"*Left out:* {left_out or 'nothing'}. `metadata.json` names each with its reason.",
        *_rows_left(result),
        f"*Not in the bundle:* {number(result.storage_objects)} files in Storage, {size(result.storage_bytes)}; only "
        "what the database says about them was exported.",
    ]


def _rows_left(result: ExportResult) -> list[str]:
    """The tables that hold rows and stay behind, by name."""
    each = [f"{code(table.name)} {table.told}" for table in result.left_rows[:_MOST_LEFT]]
    if not each:
        return []
    listed = ", ".join(and_more(each, result.left_with_rows, "tables"))
    return [f"*Left out with rows in them:* {listed}."]


def export_counts(result: ExportResult) -> dict[str, int]:
    return {"tables": result.tables, "rows": result.rows, "bytes": result.bytes}


def users(result: UsersResult, run: Run) -> Layout:
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
        attention(result, run.open_reasons if run.users == result else ()),
        f"*user-mapping.json:* `{result.mapping_sha256}`, to be kept until {result.retain_until:%Y-%m-%d}.",
    ]
    title = "What became of the users"
    if result.dry_run:
        title = "What would become of the users"
        paragraphs[-1] = (
            f"*A dry run:* no user was created or changed, and there is no mapping. The run ends here. {way_back(run)}"
        )
    table = Table(heading=("Outcome", "Users"), rows=[(name, number(count)) for name, count in rows])
    return Layout(title=title, paragraphs=paragraphs, table=table)


def attention(result: UsersResult, still_open: Sequence[str]) -> str:
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


def to_decide(result: UsersResult) -> str:
    """The users on whom a person has to decide, with those who may be the same person; "" when there is none."""
    lines = [
        f"• {code(id_)}: in Stack Auth {', '.join(code(candidate) for candidate in candidates)}"
        for id_, candidates in result.to_decide.items()
        if candidates
    ]
    if not lines:
        return ""
    shown = and_more(lines[:_MOST_TO_DECIDE], len(lines), "users")
    how = "Say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip` to me for each, then `retry`."
    return "\n".join(["*To decide:* these may be the same person in Stack Auth, or not.", *shown, how])


def _outcomes(result: UsersResult) -> str:
    return (
        f"*Users:* {number(result.users)} exported, {number(result.created)} created, {number(result.matched)} "
        f"matched, {number(result.updated)} updated, {number(result.unmapped)} not mapped"
    )


def users_counts(result: UsersResult) -> dict[str, int]:
    counts = result.model_dump(include={"users", "created", "matched", "updated", "unmapped"})
    return counts | {"attention": result.attention_users}


def closing(result: HandoverResult, run: Run, anchor: str) -> Layout:
    exported, carried = run.export, run.users
    accepted = ", ".join(code(reason) for reason in sorted(run.accepted))
    unread = ", ".join(code(table) for table in sorted(run.left_unread))
    paragraphs = [
        parties(run),
        f"*Exported:* {number(exported.tables)} tables, {number(exported.rows)} rows, {size(exported.bytes)}."
        if exported
        else "",
        f"{_outcomes(carried)}, {number(carried.attention_users)} with attention." if carried else "",
        f"*Accepted:* users carried over in part because of {accepted}." if accepted else "",
        f"*Accepted as well:* these tables could not be read and are not in the bundle: {unread}." if unread else "",
        waived(run),
        f"*The digest over everything:* `{result.digest}`\nIt stands over {number(result.files)} files and over the "
        f"journal up to line {number(result.journal_line)} (`{result.journal_hash}`). `cutover verify` reads all of it "
        "again.",
        "*What the import needs:* `metadata.json` names every file with its columns, the order of import and the "
        "columns that refer to users; `user-mapping.json` has the Stack Auth id for each Supabase id."
        + (f" Keep both until {carried.retain_until:%Y-%m-%d}." if carried else ""),
        f"*If you stop here:* Supabase stays frozen. {way_back(run)}",
        "*The freeze* is watched only while `cutover run` is running. To prove the freeze again: "
        "`cutover doctor --freeze`."
        if run.freeze
        else "",
    ]
    return Layout(title=f"Cutover {run.run_id}: handed over", paragraphs=paragraphs, footer=anchor)


def waived(run: Run) -> str:
    """Which checks approvers let pass, who, and why; "" when there is none."""
    lines = [
        f"• {code(w.check)} at the {run.plan.gate(w.checkpoint).title} checkpoint, by <@{w.user}>: {code(shown(w.why))}"
        for w in run.waived
    ]
    return "\n".join(["*Waived:* these checks failed and were let pass.", *lines]) if lines else ""


def closing_counts(result: HandoverResult, run: Run) -> dict[str, Any]:
    of_export = export_counts(run.export) if run.export is not None else {}
    of_users = users_counts(run.users) if run.users is not None else {}
    return {**of_export, **of_users, "digest": result.digest}
