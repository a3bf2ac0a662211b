"""One of anything is one, in what commands print."""

from dataclasses import replace

from bot.commands.overview import overview
from bot.commands.undo_users import told
from bot.plan.results import UsersResult
from bot.plan.texts.amounts import size
from bot.stackauth.migrate.rollback import Preview
from tests.plan.histories import night_at

_ONE = Preview(users=1, active=(), left=1, teams=1, kept=1, adopted={"20260302-beef": 1})


def test_one_user_to_undo() -> None:
    """Created, with a team, kept for a later run, left alone: each alone."""
    run = night_at("aborted").run
    assert list(told(run, _ONE, yes=False, adopted_by=())) == [
        f"1 user that run {run.run_id} created is in Stack Auth.",
        "It had not signed in since.",
        "1 of them has a team. Stack Auth keeps a team when its user is deleted: delete this one in its dashboard.",
        "1 more that it created is kept, because a later run has mapped it: 20260302-beef (1).",
        "Only if that run is void too: `cutover undo-users --yes --adopted-by 20260302-beef` removes it as well.",
        "1 user of another run, or a copy of a user, was left alone.",
        "Nothing was removed. `cutover undo-users --yes` removes it.",
    ]
    first, *_, last = told(run, _ONE, yes=True, adopted_by=())
    assert first == f"1 user that run {run.run_id} created was removed from Stack Auth."
    assert last == "undo.jsonl names it by id."


def test_one_table_one_row_one_byte_and_one_user() -> None:
    """In the overview of a run."""
    run = night_at("users waits").run
    export, users = run.export, run.users
    assert export is not None and isinstance(users, UsersResult)
    few = export.model_copy(update={"tables": 1, "rows": 1, "bytes": 1})
    run = replace(run, results={"export": few, "users": users.model_copy(update={"attention_users": 1})})
    lines = list(overview(run, run.last_at, running=True, pid=None))
    assert "  exported  1 table, 1 row, 1 byte" in lines
    assert any(line.startswith("  users ") and line.endswith("; 1 needs attention") for line in lines)
    assert (size(0), size(1), size(999), size(1000)) == ("0 bytes", "1 byte", "999 bytes", "1.0 kB")
