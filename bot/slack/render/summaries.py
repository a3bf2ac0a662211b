"""What a step achieved, in numbers that people can decide by, and the closing summary of the night. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.plan.results import ExportResult, HandoverResult, UsersResult
from bot.plan.run import Run
from bot.plan.text import Person, Text, Value, items, joined, say, stacked
from bot.plan.texts.amounts import counted, duration, number, size
from bot.plan.texts.foreign import codes, foreign, marked, seen
from bot.plan.texts.listing import and_more
from bot.slack.render.blocks import Layout, Table
from bot.slack.render.header import parties, way_back

_MOST_TABLES = 15
_MOST_REASONS = 20
_MOST_LEFT = 12
_MOST_TO_DECIDE = 10
_MOST_LARGEST = 5
_DIGITS = 12


def export(result: ExportResult) -> Layout:
    shown = result.largest[:_MOST_TABLES]
    table = Table(
        heading=("Table", "Rows", "Size"),
        rows=[(total.name, number(total.rows), size(total.bytes)) for total in shown],
    )
    paragraphs = [
        say(
            "*Exported:* {tables}, {rows}, {size} ({bytes}); {users} in auth.users. One "
            "snapshot, taken at {at:%Y-%m-%d %H:%M:%S} UTC, in {time}.",
            tables=counted(result.tables, "table"),
            rows=counted(result.rows, "row"),
            size=size(result.bytes),
            bytes=counted(result.bytes, "byte"),
            users=counted(result.auth_users, "user"),
            at=result.taken_at,
            time=duration(result.duration_ms / 1000),
        ),
        say("*metadata.json:* `{sha256}`", sha256=result.sha256[:_DIGITS]),
        _attempt_before(result),
        stacked(*left_out(result)),
        stacked(*_users_ids(result)),
        say("*The largest {shown} of {tables}:*", shown=len(shown), tables=counted(result.tables, "table"))
        if shown
        else Text(),
    ]
    return Layout(title="What was exported", paragraphs=paragraphs, table=table if shown else None)


def _users_ids(result: ExportResult) -> list[Text]:
    told = (
        (result.by_value, say("*Users' ids without a key:* the import must rewrite these columns too")),
        (result.suspects, say("*Users' ids elsewhere:* nothing rewrites the ids inside these columns")),
    )
    return [
        say("{what}: {names}.", what=what, names=_listed(codes(names[:_MOST_TABLES]), len(names), "column"))
        for names, what in told
        if names
    ]


def _listed(shown: Sequence[Value], total: int, one: str, by: str = ", ") -> Text:
    return joined(and_more(shown, total, one), by=by)


def _attempt_before(result: ExportResult) -> Text:
    if result.kept_files:
        return say(
            "*After an interrupted attempt:* {files} of its files were kept; the database has provably not changed "
            "since its snapshot.",
            files=number(result.kept_files),
        )
    if result.retaken:
        return say("*After an interrupted attempt:* all was exported again; the database may have changed since.")
    return Text()


def largest(result: ExportResult) -> Text:
    each = [
        say("`{name}` {rows}", name=seen(total.name), rows=counted(total.rows, "row"))
        for total in result.largest[:_MOST_LARGEST]
    ]
    return say("*The largest tables:* {each}.", each=_listed(each, result.tables, "table"))


def left_out(result: ExportResult) -> list[Text]:
    reasons = [
        say("{count} × {reason}", count=number(count), reason=foreign(reason))
        for reason, count in sorted(result.left_out.items())
    ]
    return [
        say(
            "*Left out:* {reasons}. `metadata.json` names each with its reason.",
            reasons=_listed(reasons[:_MOST_REASONS], len(reasons), "reason", "; ") or "nothing",
        ),
        *_rows_left(result),
        say(
            "*Not in the bundle:* {files} in Storage, {size}; only rows about them in the database were exported.",
            files=counted(result.storage_objects, "file"),
            size=size(result.storage_bytes),
        ),
    ]


def _rows_left(result: ExportResult) -> list[Text]:
    """The tables that hold rows and stay behind, by name."""
    each = [say("`{name}` {rows}", name=seen(t.name), rows=t.told) for t in result.left_rows[:_MOST_LEFT]]
    if not each:
        return []
    return [say("*Left out with rows in them:* {each}.", each=_listed(each, result.left_with_rows, "table"))]


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
    if result.dry_run:
        title = "What would become of the users"
        last = say(
            "*A dry run:* no user was created or changed, and there is no mapping. The run ends here. {way_back}",
            way_back=way_back(run),
        )
    else:
        title = "What became of the users"
        last = say(
            "*user-mapping.json:* `{sha256}`, to be kept until {until:%Y-%m-%d}.",
            sha256=result.mapping_sha256[:_DIGITS],
            until=result.retain_until,
        )
    paragraphs = [
        say("{outcomes}, in {time}.", outcomes=_outcomes(result), time=duration(result.duration_ms / 1000)),
        attention(result, run.open_reasons if run.users == result else ()),
        last,
    ]
    table = Table(heading=("Outcome", "Users"), rows=[(name, number(count)) for name, count in rows])
    return Layout(title=title, paragraphs=paragraphs, table=table)


def attention(result: UsersResult, still_open: Sequence[str]) -> Text:
    if not result.attention:
        return say("*Attention:* none; every user is migrated completely.")
    each = [
        say(
            "{count} × `{reason}`: {todo}.{accept}",
            count=number(attention.count),
            reason=seen(reason),
            todo=marked(attention.todo.rstrip(".")),
            accept=say(" To accept: `accept {reason}`.", reason=seen(reason)) if reason in still_open else "",
        )
        for reason, attention in sorted(result.attention.items())
    ]
    return stacked(
        say("*Attention:* {users} migrated incompletely.", users=_are(result.attention_users)),
        items(and_more(each[:_MOST_REASONS], len(each), "reason")),
        say("`user-attention.json` names each user by id."),
    )


def _are(users: int) -> str:
    return f"{counted(users, 'user')} {'is' if users == 1 else 'are'}"


def to_decide(result: UsersResult) -> Text:
    """The users on whom a person has to decide, with those who may be the same person; empty when there is none."""
    each = [
        say("`{id}`: in Stack Auth {candidates}", id=seen(id_), candidates=joined(codes(candidates), by=", "))
        for id_, candidates in result.to_decide.items()
        if candidates
    ]
    if not each:
        return Text()
    return stacked(
        say("*To decide:* these may be the same person in Stack Auth, or not."),
        items(and_more(each[:_MOST_TO_DECIDE], len(each), "user")),
        say("Say `decide ID match STACK_ID`, `decide ID create` or `decide ID skip` to me for each, then `retry`."),
    )


def _outcomes(result: UsersResult) -> Text:
    return say(
        "*Users:* {users} exported, {created} created, {matched} matched, {updated} updated, {unmapped} not mapped",
        users=number(result.users),
        created=number(result.created),
        matched=number(result.matched),
        updated=number(result.updated),
        unmapped=number(result.unmapped),
    )


def users_counts(result: UsersResult) -> dict[str, int]:
    counts = result.model_dump(include={"users", "created", "matched", "updated", "unmapped"})
    return counts | {"attention": result.attention_users}


def closing(result: HandoverResult, run: Run, anchor: Text) -> Layout:
    exported, carried = run.export, run.users
    accepted, unread = codes(sorted(run.accepted)), codes(sorted(run.left_unread))
    paragraphs = [
        parties(run),
        say(
            "*Exported:* {tables}, {rows}, {size}.",
            tables=counted(exported.tables, "table"),
            rows=counted(exported.rows, "row"),
            size=size(exported.bytes),
        )
        if exported
        else Text(),
        say("{outcomes}, {n} with attention.", outcomes=_outcomes(carried), n=number(carried.attention_users))
        if carried
        else Text(),
        say("*Accepted:* users migrated incompletely because of {reasons}.", reasons=joined(accepted, by=", "))
        if accepted
        else Text(),
        say("*Accepted:* unreadable tables that are not in the bundle: {tables}.", tables=joined(unread, by=", "))
        if unread
        else Text(),
        waived(run),
        say(
            "*The digest over everything:* `{digest}`\nIt covers {files} and the journal up to line {n} "
            "(`{hash}`). `cutover verify` checks all of it again.",
            digest=result.digest,
            files=counted(result.files, "file"),
            n=number(result.journal_line),
            hash=result.journal_hash,
        ),
        say(
            "*What the import needs:* `metadata.json` names every file with its columns, the order of import and the "
            "columns that refer to users; `user-mapping.json` has the Stack Auth id for each Supabase id.{keep}",
            keep=f" Keep both until {carried.retain_until:%Y-%m-%d}." if carried else "",
        ),
        say("*If you stop here:* Supabase stays frozen. {way_back}", way_back=way_back(run)),
        say("*The freeze* is watched only while `cutover run` runs. To verify it later: `cutover doctor --freeze`.")
        if run.freeze
        else Text(),
    ]
    return Layout(title=f"Cutover {run.run_id}: handed over", paragraphs=paragraphs, footer=anchor)


def waived(run: Run) -> Text:
    """Which checks approvers let pass, who, and why; empty when there is none."""
    each = [
        say(
            "`{check}` at the {gate} checkpoint, by {who}: `{why}`",
            check=w.check,
            gate=run.plan.gate(w.checkpoint).title,
            who=Person(w.user, name=w.name),
            why=seen(w.why),
        )
        for w in run.waived
    ]
    return stacked(say("*Waived:* these checks failed and were accepted."), items(each)) if each else Text()


def closing_counts(result: HandoverResult, run: Run) -> dict[str, Any]:
    of_export = export_counts(run.export) if run.export is not None else {}
    of_users = users_counts(run.users) if run.users is not None else {}
    return {**of_export, **of_users, "digest": result.digest}
