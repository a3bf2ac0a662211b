"""How posts look: everything said in text too, nothing foreign that works, nothing too long for Slack."""

import html
from typing import Any

import certifi
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.plan import events as e
from bot.plan import posts
from bot.plan.evidence import offer
from bot.plan.findings import Finding, Verdict, failed, warned
from bot.plan.posts import Post, Prose
from bot.plan.results import Attention, TableTotal
from bot.plan.retention import uploads
from bot.plan.run import Run
from bot.plan.text import Code, Foreign, say, stacked
from bot.plan.texts import way_back
from bot.plan.texts.amounts import size
from bot.plan.texts.foreign import code, marked
from bot.ports import Headway, Progress
from bot.rehearsal.standins.slack.limits import checked_blocks, checked_metadata
from bot.slack.render import escape
from bot.slack.render.blocks import Layout, fitted, laid_out
from bot.slack.render.escape import escaped, mrkdwn
from bot.slack.render.messages import OVER, Message, render
from bot.supabase.connection.dsn import Dsn, open_question

HEAD = (7, "f" * 64)
RUN = "20241124-ab12"


def whole_night(story: Any, **changes: Any) -> Any:
    """A run that has been handed over, with a post of every kind."""
    run = story.begun(**changes)
    night = [
        lambda run: story.gate_passes(run, story.frozen, warned("notice", "No notice is configured.")),
        lambda run: [e.StepEnded(at=run.last_at, step="export", result=story.export_result())],
        lambda run: [_offer(run, "export")],
        story.gate_passes,
        lambda run: [e.StepEnded(at=run.last_at, step="users", result=story.users_result())],
        lambda run: [_offer(run, "users")],
        lambda run: [e.ReasonAccepted(at=run.last_at, reason="phone-only", set_digest="b" * 64, user="U0ADA")],
        story.gate_passes,
        lambda run: [e.StepEnded(at=run.last_at, step="handover", result=story.handover_result())],
    ]
    return story.moved(run, *night)


def _offer(run: Any, gate: str) -> e.CheckpointOffered:
    return offer(run, run.plan.gate(gate), run.last_at)


def shown(run: Any, key: str, headway: Headway | None = None) -> Message:
    return render(run, run.deliveries[key].post, headway, HEAD)


def accepted_by_slack(message: Message) -> None:
    """The stand-in's rules for what may be posted, and for what may be edited."""
    checked_blocks(list(message.blocks))
    checked_metadata(dict(message.metadata))
    assert 0 < len(message.text) <= 4_000
    assert message.text.encode()


async def test_every_post_of_a_night_is_taken_by_slack(story: Any, channel: Any, slack: Any) -> None:
    """Header, gates, findings, summaries, closing, answers and alarms go through the whole of Slack's validation."""
    run = story.moved(
        whole_night(story),
        lambda run: [e.DriftSeen(at=run.last_at, changes=("public.orders moved: tuple counters",))],
        lambda run: [e.RetryAsked(at=run.last_at, user="U0ADA", ts="1.000002")],
    )
    for key, delivery in list(run.deliveries.items()):
        ts = await channel.post(run, delivery.post, None, HEAD)
        run = story.moved(
            run, lambda run, key=key, ts=ts: [e.Posted(at=run.last_at, key=key, ts=ts, displayed_state="")]
        )
    assert [call.answer for call in slack.calls if call.method == "chat.postMessage"] == ["ok"] * len(run.deliveries)
    for delivery in run.deliveries.values():
        await channel.redraw(run, delivery.post, delivery.ts, None, HEAD)
    assert {call.answer for call in slack.calls if call.method == "chat.update"} == {"ok"}
    assert {m.event_type for m in slack.messages} >= {
        "cutover_run",
        "cutover_checkpoint",
        "cutover_finding",
        "cutover_summary",
        "cutover_alarm",
    }


_NAMES = st.text(max_size=200) | st.sampled_from(["<!channel>", "`code`", "\u202eright to left", "x" * 4_000, "a|b"])


@pytest.mark.parametrize("examples", [12, pytest.param(100, marks=pytest.mark.all)])
def test_however_many_tables_there_are_slack_takes_their_counts(story: Any, examples: int) -> None:
    """Whatever they are called and however large they are; what does not fit is counted."""
    night = whole_night(story)

    @given(
        names=st.lists(_NAMES, min_size=60, max_size=200),
        rows=st.integers(0, 10**15),
        left_out=st.dictionaries(_NAMES.filter(bool), st.integers(1, 10**6), max_size=40),
    )
    @settings(max_examples=examples)
    def are_taken(names: list[str], rows: int, left_out: dict[str, int]) -> None:
        tables = tuple(TableTotal(name=name, rows=rows, bytes=rows) for name in names)
        result = story.export_result(largest=tables, left_out=left_out, tables=len(names))
        run = story.moved(night, lambda run: [e.StepEnded(at=run.last_at, step="export", result=result)])
        message = shown(run, next(reversed(run.deliveries)))
        accepted_by_slack(message)
        assert f"{len(names):,} tables" in message.text
        assert "<!channel>" not in message.text

    are_taken()


def test_the_header_is_the_whole_board(story: Any) -> None:
    """Who moves to where, each checkpoint, now, next, and the way back, in this order."""
    run = story.begun()
    assert shown(run, f"{RUN}/header").text == "\n".join(
        [
            f"*Cutover {RUN}*",
            "*Source:* Supabase `abcdefgh`, database `postgres`",
            "*Target:* Stack Auth project `p-1`",
            "*Status:* waiting",
            "▶️ 1. Freeze: waiting for `frozen`",
            "◻️ 2. Export: not yet",
            "◻️ 3. Users: not yet",
            "*Now:* the Freeze checkpoint waits for `frozen`",
            "*Next:* <@U0ADA> may say `frozen` once Supabase refuses every write and users see the maintenance notice. "
            "It proves the freeze, then exports every table from one snapshot.",
            "*The way back:* say `abort` to me: I stop at a safe point, unfreeze Supabase and verify that writes work. "
            "Without me: `cutover thaw` unfreezes Supabase by the bundle; `cutover freeze-sql --thaw` prints SQL.",
            f"Journal line 7 · `{'f' * 64}`",
        ]
    )


def test_the_freeze_gate_says_first_what_to_do_and_the_way_back_before_the_way_forward(story: Any) -> None:
    """Whoever reads the first lines knows what to do; the first of these is how to thaw, and to read on."""
    run = story.begun()
    text = shown(run, run.gate_key).text
    order = [
        "*Status:* ⏳ waiting for `frozen`",
        "1. Read below what users will feel, and how long it takes. The way back is the SQL in this thread",
        "2. Run what `cutover freeze-sql` prints",
        "3. Switch the maintenance notice on.",
        "4. Say `frozen`.",
        "*Who may say it:* <@U0ADA>, as a message that is exactly `frozen`, here or in this thread.",
        "*What must be true:* Supabase refuses every write and users see the maintenance notice.",
        "*What users will feel:* ",
        "*If you stop here:* nothing was changed by this run; thaw, and users go on as before.",
        f"*Evidence* `{run.offer.digest}`",
        "• approvers: <@U0ADA>",
        f"Run `{RUN}` · Journal line 7 · `{'f' * 64}`",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_the_freeze_gate_says_that_the_source_is_not_proven(story: Any) -> None:
    """Before anybody freezes: that somebody could answer in its place, and where its certificate is to be had."""
    tls = open_question(Dsn.of("postgresql://u:p@db.x.supabase.co/db"))
    assert tls is not None
    run = story.begun(source_tls=tls)
    assert f"*Not proven:* {tls.evidence} To prove it: {escaped(tls.fix)}." in shown(run, run.gate_key).text
    proven = open_question(Dsn.of(f"postgresql://u:p@db.x.supabase.co/db?sslrootcert={certifi.where()}"))
    run = story.begun(source_tls=proven)
    assert "Not proven" not in shown(run, run.gate_key).text


def test_a_gate_shows_what_became_of_it(story: Any) -> None:
    """Waiting, verifying, passed, refused, void: each is said, and is in the metadata."""
    run = story.begun()
    key = run.gate_key
    said = e.SignalAccepted(at=run.last_at, checkpoint="freeze", digest="x", user="U0ADA", ts="1.000001")
    began = e.VerificationBegan(at=run.last_at, checkpoint="freeze", attempt=1)
    verifying = story.moved(run, lambda run: [said, began])
    refused = story.moved(verifying, lambda run: [e.CheckpointRefused(at=run.last_at, checkpoint="freeze", attempt=1)])
    void = story.moved(
        run, lambda run: [e.CheckpointVoided(at=run.last_at, checkpoint="freeze", offer=1, why="it moved")]
    )
    seen = {}
    for state in (run, verifying, refused, void):
        message = shown(state, key)
        seen[message.metadata["event_payload"]["status"]] = message.text.split("\n")[1]
    assert seen == {
        "waiting": "*Status:* ⏳ waiting for `frozen`",
        "verifying": "*Status:* 🔎 verifying, approved by `U0ADA`",
        "refused": "*Status:* ❌ refused at attempt 1: read the findings in this thread, fix them, and "
        "say `frozen` again",
        "void": "*Status:* ✖️ void: no word counts here; a newer message follows, or the run has ended",
    }


def test_a_finding_names_its_fix(story: Any) -> None:
    """Verdict, check, evidence, fix; code that is to be copied stays as it is."""
    finding = failed("select-right", "2 tables cannot be read.", 'Run `GRANT SELECT ON "a_b*c" TO postgres;`.')
    post = Post(key="k", kind="cutover_finding", checkpoint="freeze", status="refused", thread="g", body=finding)
    message = render(story.begun(), post, None, HEAD)
    assert message.text == (
        '❌ *select-right* (fail): 2 tables cannot be read.\n*Fix:* Run `GRANT SELECT ON "a_b*c" TO postgres;`.'
    )
    assert message.metadata["event_payload"]["check"] == "select-right"


def test_the_export_summary_counts_in_a_table_and_in_text(story: Any) -> None:
    """The largest tables, what was left out and why, and what is not in the bundle."""
    run = whole_night(story)
    message = shown(run, f"{RUN}/summary/export/1")
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    assert [cell["text"] for cell in table["rows"][0]] == ["Table", "Rows", "Size"]
    assert [cell["text"] for cell in table["rows"][1]] == ["t0", "1,000", "100.0 kB"]
    assert len(table["rows"]) == 16
    assert "t0 · 1,000 · 100.0 kB" in message.text
    assert (
        "*Left out:* 3 × a view; 12 × the platform's own. `metadata.json` names each with its reason." in message.text
    )
    assert "*Not in the bundle:* 17 files in Storage, 4.2 MB;" in message.text
    assert message.metadata["event_payload"] == {
        "run_id": RUN,
        "key": f"{RUN}/summary/export/1",
        "checkpoint": "freeze",
        "status": "done",
        "tables": 43,
        "rows": 120_345,
        "bytes": 98_765_432,
    }


def test_the_users_gate_names_each_reason_and_the_word_for_it(story: Any) -> None:
    """What is still open says how to accept it; what is accepted does not."""
    run = whole_night(story)
    before = story.moved(
        story.begun(),
        lambda run: story.gate_passes(run, story.frozen),
        lambda run: [e.StepEnded(at=run.last_at, step="export", result=story.export_result())],
        lambda run: [_offer(run, "export")],
        story.gate_passes,
        lambda run: [e.StepEnded(at=run.last_at, step="users", result=story.users_result())],
        lambda run: [_offer(run, "users")],
    )
    text = shown(before, before.gate_key).text
    assert (
        "*Attention:* 12 users are migrated incompletely.\n"
        "• 7 × `phone-only`: ask them for an e-mail address. To accept: `accept phone-only`.\n"
        "• 5 × `sso-only`: set up SSO in the target. To accept: `accept sso-only`.\n"
    ) in text
    after = shown(run, before.gate_key).text
    assert "`accept phone-only`" not in after and "`accept sso-only`" in after
    payload = shown(before, before.gate_key).metadata["event_payload"]
    counts = {name: payload[name] for name in ("users", "created", "matched", "updated", "unmapped", "attention")}
    assert counts == {"users": 500, "created": 480, "matched": 10, "updated": 0, "unmapped": 10, "attention": 12}


def test_the_closing_carries_every_count_and_the_digest(story: Any) -> None:
    """One message holds what an auditor and the import begin with."""
    run = whole_night(story)
    message = shown(run, f"{RUN}/summary/handover/3")
    assert message.metadata == {
        "event_type": "cutover_summary",
        "event_payload": {
            "run_id": RUN,
            "key": f"{RUN}/summary/handover/3",
            "checkpoint": "",
            "status": "done",
            "tables": 43,
            "rows": 120_345,
            "bytes": 98_765_432,
            "users": 500,
            "created": 480,
            "matched": 10,
            "updated": 0,
            "unmapped": 10,
            "attention": 12,
            "digest": "e" * 64,
        },
    }
    assert "To verify it later: `cutover doctor --freeze`." in message.text
    assert f"*The digest over everything:* `{'e' * 64}`" in message.text
    assert message.text.endswith(f"Journal line 7 · `{'f' * 64}`")


def test_an_alarm_that_is_over_says_so(story: Any) -> None:
    """A reader who comes late must not act on it."""
    waiting = story.moved(whole_night(story), lambda run: [_offer(run, "users")])
    drift = story.moved(waiting, lambda run: [e.DriftSeen(at=run.last_at, changes=("orders moved",))])
    key = f"{RUN}/alarm/drift/1"
    assert shown(drift, key).text.startswith("🔔 *The source has moved under the freeze.*")
    over = story.moved(drift, lambda run: [_offer(run, "freeze")])
    assert shown(over, key).text.endswith(mrkdwn(OVER))
    assert shown(over, key).metadata["event_payload"]["status"] == "done"


@pytest.mark.parametrize(
    ("foreign", "harmless"),
    [
        ("<!channel> & <@U0ADA>", "&lt;!channel&gt; &amp; &lt;@U0ADA&gt;"),
        ("*bold* ~gone~ `code`", "\u2217bold\u2217 \u223cgone\u223c \u02cbcode\u02cb"),
        ("_sly_ but auth_users", "\uff3fsly\uff3f but auth_users"),
    ],
)
def test_foreign_text_does_nothing(foreign: str, harmless: str) -> None:
    """It mentions nobody, links nowhere and formats nothing."""
    assert mrkdwn(say("{it}", it=Foreign(foreign))) == harmless
    assert mrkdwn(say("{it}", it=foreign)) == harmless


def test_names_and_quoted_code_stay_code() -> None:
    """A name cannot leave its code, and what is to be copied is not disfigured."""
    assert escape.part(code("a`b\n<c>")) == "`a\u02cbb &lt;c&gt;`"
    assert escape.part(Code("")) == "(empty)"
    assert mrkdwn(marked("run `a*b` and *not* `")) == "run `a*b` and \u2217not\u2217 \u02cb"


def test_an_alarm_shows_foreign_names_as_they_are(story: Any) -> None:
    """Code that an edge quotes stays code; a long list says how much more there is."""
    changes = ("`public.a*b` moved: <!channel> & _all_", *(f"t{n} is new" for n in range(30)))
    drift = story.moved(story.begun(), lambda run: [e.DriftSeen(at=run.last_at, changes=changes)])
    lines = shown(drift, f"{RUN}/alarm/drift/1").text.split("\n")
    assert lines[1] == "• `public.a*b` moved: &lt;!channel&gt; &amp; \uff3fall\uff3f"
    assert lines[21] == "• and 11 more"
    assert lines[22].startswith("The export no longer matches the source")


def test_what_is_too_long_says_how_much_is_missing() -> None:
    """Whole lines are kept, and the rest is counted."""
    assert (
        mrkdwn(fitted(marked("\n".join(f"line {n}" for n in range(100))), 60))
        == "line 0\nline 1\nline 2\nline 3\nline 4\nand 95 more lines"
    )
    assert size(1_234_567) == "1.2 MB" and size(0) == "0 bytes"
    text, blocks = laid_out(Layout(paragraphs=[marked("a long line\n" * 1000), say("The last word.")]))
    assert text.endswith("more lines\nThe last word.")
    assert blocks[-1]["text"]["text"] == "The last word."
    text, blocks = laid_out(Layout(paragraphs=[marked("x" * 50_000)] * 30))
    assert len(text) <= 4_000
    checked_blocks(blocks)


NASTY = st.text(max_size=300) | st.text(alphabet="<>&`*_~!@#|\n\r \u202e\u2028a", max_size=4_000)
COUNT = st.integers(min_value=0, max_value=10**12)


@pytest.mark.parametrize("examples", [12, pytest.param(60, marks=pytest.mark.all)])
def test_nothing_foreign_breaks_a_message(story: Any, examples: int) -> None:
    """Whatever databases, services and settings may hold, Slack takes the message and it mentions nobody new."""

    @settings(max_examples=examples)
    @given(data=st.data())
    def breaks_nothing(data: st.DataObject) -> None:
        name = data.draw(NASTY)
        reasons = data.draw(st.dictionaries(NASTY, COUNT, max_size=30))
        parties = e.Parties(source_ref=name, source_database=data.draw(NASTY), target_project=data.draw(NASTY))
        run = story.begun(parties=parties)
        finding = Finding(check=name, verdict=data.draw(st.sampled_from(Verdict)), evidence=data.draw(NASTY), fix=name)
        attention = {reason: Attention(count=count, digest="b" * 64, todo=name) for reason, count in reasons.items()}
        largest = tuple(TableTotal(name=n, rows=c, bytes=c) for n, c in reasons.items())
        bodies = [
            finding,
            Prose(stacked(marked(data.draw(st.text(max_size=9_000))), say("{name}", name=name))),
            story.export_result(largest=largest, left_out=reasons),
            story.users_result(attention=attention),
            story.handover_result(),
        ]
        posts = [run.deliveries[key].post for key in run.deliveries]
        posts += [
            Post(key="k", kind="cutover_summary", checkpoint="", status="done", thread=None, body=body)
            for body in bodies
        ]
        progress = Progress(step="export", done=data.draw(COUNT), total=data.draw(COUNT), unit="rows", note=name)
        for post in posts:
            message = render(run, post, Headway(progress=progress, per_second=3.0, seconds_left=7.0), HEAD)
            accepted_by_slack(message)
            assert set(_mentions(message)) <= {"<@U0ADA>"}

    breaks_nothing()


DEEDS = (
    "<!channel>",
    "<@U0EVE>",
    "<https://evil.example|click>",
    "*b* _i_ ~s~",
    "`",
    "a`<!here>`b",
    "\u202etxt",
    "x" * 4_000,
)
HOSTILE = st.sampled_from(DEEDS)


@pytest.mark.parametrize("examples", [8, pytest.param(60, marks=pytest.mark.all)])
def test_no_alarm_pings_or_formats_for_a_database(story: Any, examples: int) -> None:
    """A table, a role or an error may be called anything: what an alarm and the header tell of it does nothing, and
    does not push out what people are to do.
    """
    run = whole_night(story)
    at = run.last_at

    @settings(max_examples=examples)
    @given(names=st.lists(HOSTILE | NASTY, min_size=1, max_size=40))
    @example(names=list(DEEDS))
    def do_nothing(names: list[str]) -> None:
        why = f"The table `{names[0]}` of {' and '.join(names)} went away."
        for happened in (
            e.DriftSeen(at=at, changes=tuple(names)),
            e.StepFailed(at=at, step="export", why=why, unreadable=tuple(names)),
            e.ThawFailed(at=at, why=why),
            e.FreezeFailed(at=at, why=why),
            e.WatchBlinded(at=at, why=why),
            e.GuardLost(at=at, why=why),
            e.GuardTaken(at=at, since=at, tables=3, unguarded=tuple(names)),
        ):
            for start in (story.begun(), run):
                told = story.moved(start, lambda _, happened=happened: [happened])
                for key in {*told.deliveries.keys() - start.deliveries.keys(), f"{RUN}/header"}:
                    message = shown(told, key)
                    accepted_by_slack(message)
                    assert set(_mentions(message)) <= {"<@U0ADA>"}
                    assert "\u202e" not in message.text
                    assert "alarm/drift" not in key or start is run or "Say `retry` to me" in message.text

    do_nothing()


def _mentions(message: Message) -> list[str]:
    found = [piece.split(">")[0] for piece in message.text.split("<")[1:]]
    return [f"<{piece}>" for piece in found]


def test_the_way_back_is_a_file_in_the_first_gates_thread(story: Any) -> None:
    """Whole, and found again by a name of its own; no piece is posted beside it."""
    run = story.begun(way_back="SELECT 1;\nSELECT count(*);\n")
    post = run.deliveries[f"{run.gate_key}/way-back"].post
    assert post.thread == run.gate_key
    assert post.body == posts.Attached(f"cutover-{RUN}-thaw-1.sql", way_back.SAYS, "SELECT 1;\nSELECT count(*);\n")
    attached = _way_back_posted(story, run, ts="F0123")
    assert [key for key in attached.deliveries if "way-back" in key] == [post.key]
    assert uploads(attached) == ()  # nothing of it is about users


def _way_back_posted(story: Any, run: Run, ts: str) -> Run:
    posted = e.Posted(at=run.opened.at, key=f"{run.gate_key}/way-back", ts=ts, displayed_state="done")
    moved: Run = story.moved(run, lambda _: [posted])
    return moved


def test_a_way_back_that_could_not_be_attached_follows_whole_in_messages(story: Any) -> None:
    """As code, in as many messages as it takes: nothing is cut, and each says where it belongs."""
    transaction = "BEGIN READ WRITE;\n" + "SELECT 1 < 2 AND 3 & 1 > 0;\n" * 60 + "COMMIT;"
    sql = "\n".join([transaction] * 3)
    run = story.begun(way_back=sql)
    run = _way_back_posted(story, run, ts="1732485600.000100")
    keys = [f"{run.gate_key}/way-back/{n}" for n in (1, 2, 3)]
    assert [key for key in run.deliveries if "way-back/" in key] == keys
    copied = []
    for part, key in enumerate(keys, 1):
        message = shown(run, key)
        assert run.deliveries[key].post.thread == run.gate_key
        assert len(message.text) < 4_000 and not message.blocks
        heading, fenced = message.text.split("\n", 1)
        assert heading == mrkdwn(way_back.part(part, 3))
        assert fenced.startswith("```\n") and fenced.endswith("\nCOMMIT;\n```")
        copied.append(html.unescape(fenced[4:-4]))
    assert "\n".join(copied) == sql


@pytest.mark.parametrize("sql", ["SET cutover.prior = '```';", "SELECT '" + "x" * 4_000 + "';"])
def test_a_way_back_that_no_message_can_show_is_not_shown_in_part(story: Any, sql: str) -> None:
    """A piece of SQL would be taken for the whole; where it is printed is said instead."""
    run = _way_back_posted(story, story.begun(way_back=sql), ts="1732485600.000100")
    assert shown(run, f"{run.gate_key}/way-back/1").text == mrkdwn(way_back.NOT_SHOWN)


@given(lines=st.lists(st.sampled_from(["COMMIT;", "", "SELECT '&<>';", "x" * 900, "y < z " * 100]), max_size=60))
def test_the_pieces_of_a_way_back_are_the_whole(lines: list[str]) -> None:
    """Whatever the SQL will be: joined they are it, and each fits."""
    sql = "\n".join([*lines, "END"])
    pieces = way_back.pieces(sql)
    assert "\n".join(pieces) == sql
    assert all(0 < len(escaped(piece)) <= way_back.MOST for piece in pieces)
