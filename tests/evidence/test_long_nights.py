"""The evidence page of nights on which much went wrong, read as an auditor reads it: beside the bare journal."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.artifacts import files
from bot.commands.report import report
from bot.errors import RecordDamaged
from bot.journal import Journal
from bot.plan import events as e
from bot.plan.texts.amounts import duration
from bot.record import EventRecord
from bot.report.evidence import Evidence, gathered
from bot.report.freezes import Frozen
from bot.report.page import page
from tests.evidence import long_nights
from tests.evidence.auditing import Audit, audited
from tests.plan.histories import (
    ANN,
    BEN,
    EVE,
    PLACES,
    Hear,
    MissLook,
    Night,
    ReportLook,
    ReportThaw,
    TakeUp,
    failed,
    night_at,
    passed,
)

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a night of detours that was handed over, with its page."""
    directory = long_nights.ended(tmp_path_factory.mktemp("ended") / "data").write()
    assert report(None, directory) == 0
    return directory


@pytest.fixture(scope="module")
def audit(ended: Path) -> Audit:
    return Audit(ended)


@pytest.fixture(scope="module")
def audit_of_the_abort(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    directory = long_nights.aborted(tmp_path_factory.mktemp("aborted") / "data").write()
    assert report(None, directory) == 0
    return Audit(directory)


def _the(audit: Audit, type_: str) -> list[dict[str, object]]:
    return [line for line in audit.lines if line["type"] == type_]


def test_the_page_holds_against_the_bare_journal(audit: Audit, audit_of_the_abort: Audit) -> None:
    """It is sound HTML that loads nothing; each event has its row, its word, its author and its message; and all that
    the summary claims is what the journal's lines add up to.
    """
    for one in (audit, audit_of_the_abort):
        one.must_be_sound()
        one.must_tell_the_journal()
        one.must_link_what_was_posted()
        one.must_sum_up()


@pytest.mark.parametrize(
    ("word", "type_", "said"),
    [
        ("hold", "hold-asked", "Held: the phone rings"),
        ("drift", "drift-seen", "The source moved under the freeze: ‘public.orders’ took 2 writes."),
        ("restart", "bot-started", "The bot was started again, 3 min after the last entry."),
        ("waiver", "check-waived", "The finding of notice at the freeze checkpoint was accepted: the office is closed"),
        ("tick", "item-ticked", "The item on-call of the readiness checkpoint was ticked."),
        (
            "step stopped",
            "step-failed",
            "The step export stopped at a safe point: The role may not read ‘public.secrets’.",
        ),
        ("untick", "item-unticked", "The tick of the item on-call of the readiness checkpoint was taken back."),
        ("accepted open", "item-accepted", "The item dns-ttl of the readiness checkpoint was accepted open: "),
        ("release", "released", "The new system is live; the watch ends."),
        ("void", "checkpoint-voided", "The freeze checkpoint became void: the source moved under the freeze."),
        ("message lost", "post-lost", "The bot's message "),
        ("retry", "retry-asked", "The run continues."),
    ],
)
def test_what_went_wrong_is_on_the_timeline(audit: Audit, word: str, type_: str, said: str) -> None:
    """As often as it happened, each at the line and the time of the journal, in a sentence."""
    happened, told = _the(audit, type_), audit.rows(word)
    assert happened
    assert [audit.cell(row, "Line") for row in told] == [str(line["n"]) for line in happened]
    assert audit.cell(told[0], "Event").startswith(said)


def test_a_window_that_was_lengthened_is_reported_twice(audit: Audit) -> None:
    """In its place on the timeline, behind the alarm that came first, and with the rules that it changed."""
    assert [audit.cell(row, "Event") for row in audit.rows("window")] == [
        "50 % of the window had passed.",
        "The window was set to 120 minutes from the freeze on.",
    ]
    [lengthened] = _the(audit, "window-lengthened")
    at = str(lengthened["at"])
    assert audit.terms("rules")["Window"] == (
        f"60 min from the freeze; set to 120 min by Ann A. {ANN} at {at[:10]} {at[11:19]} UTC"
    )


def test_the_timeline_goes_by_the_journal_and_marks_the_closing(audit: Audit) -> None:
    """Line after line; a divider behind the closing event says what the digest covers."""
    lines = [int(audit.cell(row, "Line")) for row in audit.timeline if audit.cell(row, "Line")]
    assert lines == sorted(lines)
    [divider] = [n for n, row in enumerate(audit.timeline) if row.attributes.get("class") == "divide"]
    [closing] = [line["n"] for line in _the(audit, "step-ended") if line["step"] == "handover"]  # type: ignore[index]
    assert audit.cell(audit.timeline[divider - 1], "Line") == str(closing)
    assert "Closed: the digest covers what is above." in audit.timeline[divider].text


def test_each_thing_is_in_its_place(audit: Audit) -> None:
    """Ticks with the checklist, a waiver with its finding, beside the reason why a gate is void."""
    text = audit.section("checkpoints")
    readiness, freeze, export = (text.index(f"{n} {title}: passed") for n, title in
                                 ((1, "Readiness"), (2, "Freeze"), (3, "Export")))  # fmt: skip
    ticks = text[readiness:freeze]
    assert [ticks.count(word) for word in (" ticked ", " tick taken back ", " accepted open: ")] == [2, 1, 1]
    assert f"dns-ttl : DNS TTL is 60 s accepted open: the provider is slow Ann A. {ANN}" in ticks
    freezes = text[freeze:export]
    assert freezes.count("notice fail The page shows ‘nothing’. Switch it on. Waived by ") == 2
    assert f"Waived by Ben </bdi><b> {BEN} : nobody reads it" in freezes
    first, second, third = (freezes.index(f"Attempt {n}: ") for n in (1, 2, 3))
    assert "Void: the source moved under the freeze. At " in freezes[first:second]
    assert "Void: the source was thawed. At " in freezes[second:third]
    assert "Void" not in freezes[third:]
    exports = text[export : text.index("4 Users")]
    assert "Void: The source moved under the freeze: ‘public.orders’ took 2 writes." in exports
    assert "Void: The thaw was confirmed." in exports


def test_two_clocks_are_never_one_length_of_time(audit: Audit) -> None:
    """The database's clock is minutes ahead: it is named where it is meant, and no duration has that difference."""
    seen = [(datetime.fromisoformat(str(line["database_time"])), datetime.fromisoformat(str(line["at"])))
            for line in _the(audit, "freeze-seen")]  # fmt: skip
    [thawed] = [datetime.fromisoformat(str(line["at"])) for line in _the(audit, "thawed")]
    [released] = [datetime.fromisoformat(str(line["at"])) for line in _the(audit, "released")]
    assert all(by_database - at == long_nights.CLOCKS_DIFFER - timedelta(seconds=1) for by_database, at in seen)
    length = duration((thawed - seen[0][1]).total_seconds())
    assert audit.summary["Frozen"] == (
        f"from {seen[0][0]:%Y-%m-%d %H:%M:%S} UTC (database clock) to {thawed:%Y-%m-%d %H:%M:%S} UTC (machine clock); "
        f"{length} by the machine clock; thawed, and verified that writes work. "
        f"from {seen[-1][0]:%Y-%m-%d %H:%M:%S} UTC (database clock) on; "
        f"watched until {released:%Y-%m-%d %H:%M:%S} UTC (machine clock)."
    )


def test_the_summary_counts_what_was_let_pass_and_what_interrupted(audit: Audit, audit_of_the_abort: Audit) -> None:
    """A waiver of a gate that became void counts no more; all else counts as often as it happened."""
    assert audit.summary["Interruptions"] == (
        "1 refusal by the checks, 1 hold, 1 stop of a step, 1 drift, 1 thaw, 1 restart"
    )
    assert audit.summary["Accepted"] == (
        "2 reasons for users migrated incompletely, 1 checklist item left open, 1 table left out"
    )
    assert audit_of_the_abort.summary["Accepted"] == "1 waived check, 1 checklist item left open, 1 table left out"


def test_an_aborted_night_says_where_it_ended(audit_of_the_abort: Audit) -> None:
    """No digest, no users; gates that were not reached are named as such, and the one at hand is void for the abort."""
    assert "Aborted : the run is aborted." in audit_of_the_abort.page.text
    assert audit_of_the_abort.summary["Digest"] == "none: there was no handover"
    assert "Users" not in audit_of_the_abort.tiles
    text = audit_of_the_abort.section("checkpoints")
    assert "3 Export: void" in text
    assert "Void: The abort was confirmed." in text
    assert text.count("Not reached: the run is aborted.") == 2
    assert [audit_of_the_abort.cell(row, "Who") for row in audit_of_the_abort.rows("abort")] == [
        f"Ben </bdi><b> {BEN}",
        f"Ben </bdi><b> {BEN}",
        "",
    ]


def test_messages_that_are_not_there_have_no_link(audit: Audit) -> None:
    """An alarm that was deleted in Slack is reported, without an address that leads nowhere."""
    told, lengthened = audit.rows("window")
    assert not told.all("a")
    assert len(lengthened.all("a")) == 2
    [hold] = audit.rows("hold")
    [heard] = _the(audit, "hold-asked")
    said, alarm = (audit.ts_of(a.attributes["href"]) for a in hold.all("a"))
    assert said == heard["ts"]
    assert alarm in {line["ts"] for line in _the(audit, "posted") if "/alarm/held/" in str(line["key"])}
    assert "thread_ts" in hold.all("a")[1].attributes["href"], "the alarm is in the thread of the gate"


def test_what_a_button_or_a_command_started_links_to_the_answer() -> None:
    """Neither leaves a message of its own."""
    night = Night()
    night.talk()
    ts = night.new_ts()
    night.do(Hear(ts=ts, user=EVE, team="T0", text="hold x", addressed=True, thread_ts=None, via="command"))
    night.judge(ts)
    night.talk()
    [hold] = [entry for entry in _evidence(night).entries if entry.moment.kind == "hold"]
    answer = night.run.answer_to(ts)
    assert answer is not None
    assert hold.links[0][0].startswith(f"https://slack.com/archives/C0CUTOVER/p{answer.ts.replace('.', '')}?thread_ts=")


@given(
    channel=st.text(max_size=30) | st.sampled_from(["C0OK", "C0OK/../x", "C0OK?a=b", "C0OK\n"]),
    ts=st.text(max_size=30) | st.from_regex(r"\d{10}\.\d{6}"),
)
@settings(deadline=None)
def test_an_address_is_made_of_ids_or_not_at_all(channel: str, ts: str) -> None:
    """A bundle may come from anybody: nothing in it leads the reader anywhere but to a message in Slack."""
    night = Night()
    night.events[0] = night.run.opened.model_copy(update={"channel": channel})
    header = next(iter(night.run.deliveries))
    events = [night.events[0], *night.events[1:], e.PostIntended(at=night.now, key=header)]
    events.append(e.Posted(at=night.now, key=header, ts=ts, displayed_state=""))
    found = gathered(enumerate(events, 1), (1, ""), None)
    assert found is not None
    address = found.channel.post(header)
    assert not address or re.fullmatch(r"https://slack\.com/archives/[A-Z0-9]+/p[0-9]+", address)


def _evidence(night: Night) -> Evidence:
    found = gathered(enumerate(night.events, 1), (len(night.events), "f" * 64), None)
    assert found is not None
    return found


# -- freezes ----------------------------------------------------------------------------------------------------------


def _lost_sight(night: Night) -> None:
    night.do(MissLook())


def _gone(night: Night) -> None:
    night.do(ReportLook(frozen=False, database_time=night.now))


def _thawed_elsewhere(night: Night) -> None:
    night.do(ReportThaw(thawed_at=night.now + timedelta(hours=1), findings=(passed("thaw-writes", "It writes."),)))


def _thawed_badly(night: Night) -> None:
    night.do(ReportThaw(thawed_at=night.now, findings=(failed("thaw-writes", "It does not write.", "Look."),)))


def _thawed_before(night: Night) -> None:
    """As a bot learns late of a thaw from before the freeze that it sees."""
    earlier = night.now - timedelta(hours=1)
    night.do(ReportThaw(thawed_at=earlier, restored_at=earlier, findings=(passed("thaw-writes", "It writes."),)))


@pytest.mark.parametrize(
    ("happens", "how", "elsewhere", "lasted"),
    [
        (_lost_sight, "a look failed, and nobody knows whether it held", False, True),
        (_gone, "its layers were no longer set", False, True),
        (_thawed_elsewhere, "thawed, and verified that writes work", True, False),
        (_thawed_badly, "thawed, and not verified that writes work", True, False),
        (_thawed_before, "", False, False),
    ],
)
def test_a_freeze_ends_as_it_ended(happens: Callable[[Night], None], how: str, elsewhere: bool, lasted: bool) -> None:
    """How long it lasted is said only where one clock measured it; an older thaw ends nothing."""
    night = Night()
    night.talk()
    night.do(ReportLook(frozen=True, database_time=night.now))
    happens(night)
    [freeze] = _evidence(night).freezes
    assert (freeze.how, freeze.elsewhere, freeze.seconds is not None, freeze.proven) == (how, elsewhere, lasted, False)
    told = page(_evidence(night)).decode()
    assert ("(clock of the machine that ran it)" in told) == (
        happens in {_thawed_elsewhere, _thawed_badly, _thawed_before}
    )


def test_a_freeze_found_anew_before_its_proof_counts_from_then() -> None:
    """Nobody looked in between, so nothing is claimed for that time."""
    night = Night()
    night.talk()
    night.do(ReportLook(frozen=True, database_time=night.now))
    night.do(TakeUp())
    night.later(minutes=2)
    anew = night.now
    night.do(ReportLook(frozen=True, database_time=anew))
    assert [freeze.since for freeze in _evidence(night).freezes] == [anew]
    assert all(isinstance(freeze, Frozen) for freeze in _evidence(night).freezes)


# -- afterwards -------------------------------------------------------------------------------------------------------


def test_what_came_after_the_handover_is_reported(ended: Path, tmp_path: Path) -> None:
    """Users removed again, a thaw that no bot saw, a purge with its receipt; each only where its file is."""
    directory = shutil.copytree(ended, tmp_path / "data")
    before = Audit(directory)
    assert before.terms("afterwards")["Users removed again"] == "none"
    assert before.terms("afterwards")["Purge"] == "not done: the bundle still holds every row. Due on 2026-05-30."
    assert "Thaw without the bot" not in before.terms("afterwards")
    with Journal.open(directory / files.UNDO) as undo:
        undo.append({"type": "undo-began", "runId": "r", "users": 2, "activeSince": 1, "at": "2026-03-03T08:00:00Z"})
        for id_, active, team in (("u1", True, None), ("u2", False, "t1")):
            undo.append(
                {"type": "removed", "id": id_, "stackId": "s", "active": active, "teamId": team}
                | {"at": "2026-03-03T08:00:01Z"}
            )
        undo.append({"type": "undo-ended", "at": "2026-03-03T08:00:02Z"})
    (directory / files.THAW).write_text(
        json.dumps(
            {"thawedAt": "2026-03-03T09:00:00Z", "restoredAt": "2026-03-03T09:00:05Z", "findings": [
                {"check": "thaw-writes", "verdict": "pass", "evidence": "Supabase writes <again>."}]}
        )
    )  # fmt: skip
    purge = {"runId": "r", "retainUntil": "2026-05-30T00:00:00Z", "beganAt": "2026-06-01T07:00:00Z", "by": "ada"}
    purge |= {
        "endedAt": "2026-06-01T07:00:09Z",
        "why": "</td><b>done",
        "removed": [{"file": f"{n}.json", "bytes": 100, "sha256": None} for n in range(30)],
    }
    (directory / "purge.json").write_text(json.dumps({"purges": [purge]}))
    assert report(None, directory) == 0
    after = Audit(directory)
    after.must_all()
    assert "Since then" not in before.summary
    assert after.summary["Since then"] == (
        "2 users were removed from Stack Auth again, from 2026-03-03 08:00:00 UTC on. "
        "Supabase was thawed by ‘cutover thaw’ at 2026-03-03 09:00:00 UTC by the clock of its machine."
    )
    terms = after.terms("afterwards")
    assert terms["Users removed again"].startswith(
        "2 of 2, from 2026-03-03 08:00:00 UTC to 2026-03-03 08:00:02 UTC. 1 of "
    )
    assert "restored at 2026-03-03 09:00:05 UTC (database clock)" in terms["Thaw without the bot"]
    assert "The journal does not have it" in terms["Thaw without the bot"]
    assert "thaw-writes : pass . Supabase writes <again>." in terms["Thaw without the bot"]
    section = after.section("afterwards")
    assert "2026-06-01 07:00:00 UTC: the run 30, 3.0 kB ada </td><b>done nothing" in section
    assert [after.cell(row, "When") for row in after.rows("purge")] == ["2026-06-01 07:00:00"]
    assert [after.cell(row, "Line") for row in after.rows("undo")] == ["undo.jsonl 1"]


def test_a_bundle_that_nobody_approved_is_named_first(ended: Path, tmp_path: Path) -> None:
    """Whoever reads no further than the summary learns that the files are not those of the journal."""
    directory = shutil.copytree(ended, tmp_path / "data")
    assert "not the one that was approved" not in Audit(directory).section("summary")
    described = directory / files.METADATA
    described.write_bytes(described.read_bytes().replace(b'"abc"', b'"abd"'))
    assert report(None, directory) == 0
    changed = Audit(directory)
    changed.must_all()
    assert "Summary The bundle is not the one that was approved : its metadata.json is not" in changed.section(
        "summary"
    )


@pytest.mark.parametrize("place", PLACES)
def test_every_gate_says_its_state(place: str, tmp_path: Path) -> None:
    """Passed, void for a reason, waiting for so many, refused by these checks, or not reached: wherever a night is."""
    night = night_at(place)
    record = EventRecord.open(tmp_path)
    record.append(night.events)
    record.close()
    page = audited(tmp_path)
    text = page.section("checkpoints")
    parts = re.split(r"[1-9] (?=Freeze|Export|Users)", text)[1:]
    assert [part.split()[0].rstrip(":") for part in parts] == ["Freeze", "Export", "Users"]
    for part in parts:
        assert re.search(
            r"passed at 2026|Void: \w+|Not finished: (its checks were|it waited for)|Not reached: \w+|by the checks \(",
            part,
        ), part


@pytest.mark.parametrize(
    "receipt", [b"", b"[]", b"\xff{", b"[" * 100_000, b'{"purges": [{"beganAt": 1e999, "x": null, "y": {"z": [1]}}]}']
)
def test_a_receipt_of_any_form_makes_a_page(ended: Path, tmp_path: Path, receipt: bytes) -> None:
    """What cannot be read is said to be unreadable."""
    directory = shutil.copytree(ended, tmp_path / "data")
    (directory / "purge.json").write_bytes(receipt)
    assert report(None, directory) == 0
    page = Audit(directory)
    page.must_be_sound()
    assert page.terms("afterwards")["Purge"] == "purge.json is damaged or cannot be read."


def test_a_damaged_undo_has_no_page(ended: Path, tmp_path: Path) -> None:
    """It is a chain like the journal: what is not intact is not shown as if it were."""
    directory = shutil.copytree(ended, tmp_path / "data")
    before = (directory / files.REPORT).read_bytes()
    with Journal.open(directory / files.UNDO) as undo:
        undo.append({"type": "undo-began", "users": 1, "at": "2026-03-03T08:00:00Z"})
    for damaged in (
        (directory / files.UNDO).read_bytes().replace(b'"users":1', b'"users":2'),
        _chained({"type": "undo-began", "users": "many", "at": "soon"}, tmp_path / "x"),
        _chained({"type": "undo-began"}, tmp_path / "y"),
    ):
        (directory / files.UNDO).write_bytes(damaged)
        with pytest.raises(RecordDamaged):
            report(None, directory)
    assert (directory / files.REPORT).read_bytes() == before


def _chained(record: dict[str, object], path: Path) -> bytes:
    with Journal.open(path) as chain:
        chain.append(record)
    return path.read_bytes()


# -- to the eye -------------------------------------------------------------------------------------------------------


def test_every_colour_can_be_read_on_its_ground(audit: Audit) -> None:
    """At least 4.5 to 1, which WCAG 2.2 asks of ordinary text, in the light and in the dark."""
    grounds = re.findall(r":root \{(.*?)\}", audit.html, re.DOTALL)
    assert len(grounds) == 2
    for ground in grounds:
        colour = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", ground))
        for text in ("ink", "soft", "good", "warn", "bad", "link"):
            for behind in ("page", "well"):
                assert _contrast(colour[text], colour[behind]) >= 4.5, (text, behind)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


_MEASURING = """<script>
const wide = [...document.querySelectorAll("body *")].filter((one) => !one.closest("thead")
    && (one.getBoundingClientRect().right > innerWidth + 0.5 || one.scrollWidth > one.clientWidth + 1)
    && getComputedStyle(one).display !== "inline");
parent.document.body.append(Object.assign(parent.document.createElement("p"), {className: "measured",
    textContent: JSON.stringify({width: innerWidth, page: document.documentElement.scrollWidth,
        elements: document.querySelectorAll("body *").length, wide: wide.map((one) => one.innerText.slice(0, 80))})}));
</script>"""


@pytest.mark.browser
@pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium on this machine")
def test_nothing_is_cut_off_on_any_screen(ended: Path, tmp_path: Path) -> None:
    """400, 800 and 1,400 px wide, everything unfolded: nothing reaches over an edge or has to be scrolled sideways."""
    text = (ended / files.REPORT).read_text().replace("<details>", "<details open>")
    text = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", f"{_MEASURING}</body>")
    widths = (400, 800, 1400)
    frames = [
        f'<iframe srcdoc="{html.escape(text)}" style="width: {w}px; height: 900px; border: 0"></iframe>' for w in widths
    ]
    (tmp_path / "screens.html").write_text(f"<!doctype html><body>{''.join(frames)}</body>")
    dumped = subprocess.run(
        [
            str(_CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "screens.html").as_uri(),
        ],
        check=True, capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    measured = [json.loads(html.unescape(one)) for one in re.findall(r'<p class="measured">(.*?)</p>', dumped)]
    assert sorted(one["width"] for one in measured) == list(widths)
    for one in measured:
        assert one["elements"] > 500
        assert (one["wide"], one["page"]) == ([], one["width"])
