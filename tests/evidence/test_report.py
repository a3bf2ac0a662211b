"""The evidence page: everything that an auditor asks is on it, and nothing on it is more than text."""

import re
import shutil
import subprocess
import sys
from datetime import timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot import cli
from bot.artifacts import files, metadata
from bot.artifacts.verify import verify_bundle
from bot.commands.report import report
from bot.errors import RecordDamaged
from bot.plan.findings import blocks
from bot.plan.offer import ApprovalState
from bot.plan.text import say
from bot.plan.texts.foreign import marked
from bot.record import EventRecord
from bot.report.chronicle import DELIVERY, ELSEWHERE, KINDS, TOLD
from bot.report.evidence import gathered
from bot.report.page import _STATES, page, plain
from tests.plan.histories import (
    ANN,
    BEN,
    EVE,
    LEFT,
    Night,
    ReportLook,
    e,
    failed,
    good_findings,
    night_of_detours,
)

HEAD = (412, "f" * 64)


class _Page(HTMLParser):
    """The page's text with its white space folded, and its elements."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self._texts: list[str] = []
        self.feed(html.decode())
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self._texts.append(data)


def _made(night: Night, bundle: metadata.Metadata | None = None) -> bytes:
    evidence = gathered(enumerate(night.events, 1), HEAD, bundle)
    assert evidence is not None
    return page(evidence)


def test_the_page_answers_what_an_auditor_asks() -> None:
    """Between whom, under which rules, who said what on which evidence, what was found, what came of it."""
    night = night_of_detours()
    html = _made(night)
    read = _Page(html)
    run = night.run
    assert run.export is not None
    assert run.users is not None
    assert run.handover is not None
    for told in (
        f"Evidence of run {run.run_id}",
        "From Supabase project abcdef , database postgres To Stack Auth project p-1",
        "Done : the run is handed over.",
        f"Approvers {ANN} , {BEN} User groups S0ONCALL",
        "Window 60 min from the freeze",
        "1 Freeze: passed",
        "Attempt 1: void , passed at ",
        "Void: the source moved under the freeze.",
        "Attempt 2: passed at ",
        "refused by what was found",
        f"notice fail No notice. Switch it on. Waived by {ANN} : the office is closed",
        "Held: the office is closed",
        "The source moved under the freeze: the office is closed took 2 writes",
        run.export.sha256,
        run.users.mapping_sha256,
        run.handover.digest,
        f"head {HEAD[1]}",
    ):
        assert told in read.text, told
    for offer in run.offers.values():
        assert offer.digest in read.text
        for approval in offer.approvals:
            assert approval.given.ts in read.text
    assert html == _made(night), "the same journal gives the same bytes"


def test_the_page_needs_nothing_else() -> None:
    """No script, nothing to load, and a browser is told to load nothing; it names its language."""
    html = _made(night_of_detours())
    read = _Page(html)
    assert not {"script", "link", "img", "iframe", "form"} & set(read.tags)
    assert not {"src", "onclick"} & read.attributes
    assert b"default-src 'none'" in html
    assert b'<html lang="en">' in html


@pytest.mark.parametrize("examples", [4, pytest.param(50, marks=pytest.mark.all)])
def test_whatever_people_and_databases_write_is_text(examples: int) -> None:
    """It makes no element, turns no line round, and is on the page as what it is."""
    known = _Page(_made(night_of_detours())).tags

    @example("</td><script>alert(1)</script>")
    @example("{{ run }}")
    @example("\u202egnp.exe")
    @example("&lt;img src=x onerror=y&gt;")
    @example("a" * 4_000)
    @given(st.text(max_size=300))
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def stands_as_text(why: str) -> None:
        html = _made(night_of_detours(f"because {why} so"))
        read = _Page(html)
        assert read.tags == known
        assert not {"\u202e", "\u2066", "\x00"} & set(html.decode())
        assert "because" in read.text

    stands_as_text()


_HOSTILE = st.text(max_size=80) | st.sampled_from(
    ["</bdi></td><img src=x>", '"><b onclick="x', "\u202e\u2067", "*`<@U1>`*", "{% raw %}", "\ud800", "x" * 4_000]
)


def _with_texts(source: str, evidence: str, fix: str, word: str) -> _Page:
    night = Night()
    parties = night.run.opened.parties.model_copy(update={"source_ref": source, "source_database": source})
    night.events[0] = night.run.opened.model_copy(update={"parties": parties})
    night.ask(f"accept {word}", EVE)
    night.give_signal()
    night.find([failed("notice", evidence, f"m{fix}")])
    html = _made(night)
    assert not any(chr(c) in html.decode() for c in (0, 0x202A, 0x202E, 0x2066, 0x2067))
    return _Page(html)


@pytest.mark.parametrize("examples", [15, pytest.param(100, marks=pytest.mark.all)])
def test_names_and_findings_are_text(examples: int) -> None:
    """The same elements are on the page, in the same order, whatever a source, a finding or a refused word says."""
    known = _with_texts("s", "e", "m", "w")

    @given(source=_HOSTILE, evidence=_HOSTILE, fix=_HOSTILE, word=_HOSTILE)
    @settings(max_examples=examples, deadline=None)
    def stand_as_text(source: str, evidence: str, fix: str, word: str) -> None:
        read = _with_texts(source, evidence, fix, word)
        assert (read.tags, read.attributes) == (known.tags, known.attributes)

    stand_as_text()


def test_a_night_over_midnight_is_dated() -> None:
    """Every time is shown with its day, in UTC, whichever zone it was written in."""
    night = Night()
    night.later(hours=3)
    tokyo = timezone(timedelta(hours=9))
    night.do(ReportLook(frozen=True, database_time=night.now.astimezone(tokyo)))
    at = night.events[-1].at
    night.events[-1] = night.events[-1].model_copy(update={"at": at.astimezone(tokyo)})
    text = _Page(_made(night)).text
    assert "Opened 2026-03-01 22:00:00 UTC" in text
    assert (
        f"2026-03-02 {at:%H:%M:%S} freeze All layers of the freeze were set, at 01:00:00 UTC (database clock)." in text
    )
    assert (
        "from 2026-03-02 01:00:00 UTC (database clock) on; still frozen when the journal ends; never verified." in text
    )


def test_a_word_that_was_refused_is_shown_with_the_reason() -> None:
    """Who said it, what was said, and what they were told."""
    night = Night()
    night.talk()
    night.say("frozen", EVE)
    evidence = gathered(enumerate(night.events, 1), HEAD, None)
    assert evidence is not None
    (refused,) = evidence.refused
    assert (refused.user, refused.text) == (EVE, "frozen")
    assert f"{EVE} frozen {plain(refused.why)}" in _Page(page(evidence)).text


def test_an_approval_that_lapsed_is_reported_with_its_reason() -> None:
    """Whose it was, why it counted no longer, and that the checks had passed by then."""
    night = Night()
    night.talk()
    night.give_signal()
    night.find(good_findings("freeze"))
    night.end_checks(**{ANN: LEFT})
    text = _Page(_made(night)).text
    assert "void: whoever gave it may give none any more" in text
    assert "An approval of the freeze checkpoint no longer counted: the account is deactivated." in text
    assert ": lapsed , 3 findings" in text
    assert set(_STATES) == set(get_args(ApprovalState)), "every state has its words"


def test_code_and_bold_are_distinguished_from_stars() -> None:
    """What we made strong or code becomes plain writing; what somebody wrote stays as it is."""
    assert plain(say("say *now* `frozen`")) == "say now ‘frozen’"
    assert plain(marked("2*3*4, `x` and a ` alone")) == "2*3*4, ‘x’ and a ` alone"
    assert plain("*now* `frozen`") == "*now* `frozen`"


def test_a_bundle_that_is_not_the_journals_is_named() -> None:
    """Tables are believed only from the file whose digest was approved."""
    night = night_of_detours()
    assert night.run.export is not None
    for sha256, ours in ((night.run.export.sha256, True), ("0" * 64, False), ("", False)):
        evidence = gathered(enumerate(night.events, 1), HEAD, None, sha256)
        assert evidence is not None
        assert evidence.bundle_is_the_journals is ours


def test_addresses_and_secrets_are_not_on_the_page() -> None:
    """Somebody may have typed one into a reason."""
    html = _made(night_of_detours("ask ada@example.com, the key is sk-live-0123456789abcdef"))
    assert b"ada@example.com" not in html


def test_every_kind_of_event_is_reported() -> None:
    """But for how messages come into the channel; and what is reported is on the timeline or elsewhere, not on both."""
    kinds = set(e.KINDS)
    assert {*TOLD, *DELIVERY} == kinds
    assert not set(TOLD) & set(DELIVERY)
    assert set(ELSEWHERE) < set(TOLD)
    assert set(KINDS) <= set(TOLD) - set(ELSEWHERE)


@pytest.mark.parametrize("events", [1, 2, 5])
def test_a_run_that_has_just_begun_has_a_page_too(events: int) -> None:
    """Also between any two lines of the journal."""
    night = night_of_detours()
    evidence = gathered(enumerate(night.events[:events], 1), HEAD, None)
    assert evidence is not None
    assert night.run.run_id in _Page(page(evidence)).text
    assert gathered([], HEAD, None) is None


def test_every_place_of_a_night_has_a_page() -> None:
    """After every single line, whatever it is."""
    night = night_of_detours()
    for n in range(1, len(night.events) + 1, 7):
        evidence = gathered(enumerate(night.events[:n], 1), HEAD, None)
        assert evidence is not None
        assert page(evidence)


def test_the_command_writes_the_page_beside_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where and from which line; written again it is the same; without a run it says so and writes nothing."""

    def cutover(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    code, out, err = cutover("report", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"cutover: There is no run in {tmp_path}; nothing was written; ")
    record = EventRecord.open(tmp_path)
    for event in night_of_detours().events:
        record.append([event])
    n, digest = record.head
    record.close()
    first = cutover("report", str(tmp_path))
    written = (tmp_path / "report.html").read_bytes()
    assert first == cutover("report", str(tmp_path))
    assert first[0] == 0
    assert first[1].endswith(f", from line {n} of the journal\n")
    assert digest.encode() in written
    assert (tmp_path / "report.html").read_bytes() == written
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600


def test_a_page_of_the_middle_of_a_night_is_made_anew_after_it(bundle: Any) -> None:
    """It is made of the other files, so no sum closes it; the bundle stays what it was."""
    assert report(None, bundle.directory) == 0
    before = (bundle.directory / files.REPORT).read_bytes()
    bundle.closed()
    assert report(None, bundle.directory) == 0
    assert (bundle.directory / files.REPORT).read_bytes() != before
    assert not blocks(verify_bundle(bundle.directory, None))


def test_a_damaged_journal_has_no_page(tmp_path: Path) -> None:
    """The command ends with 3, names the line, and leaves the page of before as it was."""
    record = EventRecord.open(tmp_path)
    for event in night_of_detours().events:
        record.append([event])
    record.close()
    assert report(None, tmp_path) == 0
    before = (tmp_path / files.REPORT).read_bytes()
    journal = tmp_path / files.JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b"the office is closed", b"the office is open  ", 1))
    with pytest.raises(RecordDamaged) as damaged:
        report(None, tmp_path)
    assert damaged.value.exit_code == 3
    assert re.search(r"[Ll]ine \d+", str(damaged.value))
    assert (tmp_path / files.REPORT).read_bytes() == before


_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.browser
@pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium on this machine")
def test_on_paper_nothing_is_folded_away(bundle: Any, tmp_path: Path) -> None:
    """What is folded on the screen is on the paper, as if somebody had opened all of it before."""
    assert report(None, bundle.directory) == 0
    html = (bundle.directory / files.REPORT).read_text()
    folded = re.compile(r"<details>.*?</details>", re.DOTALL)
    assert folded.search(html)

    def printed(text: str, name: str) -> int:
        (tmp_path / f"{name}.html").write_text(text)
        subprocess.run(
            [
                str(_CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / name}",
                "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / name}.pdf", (tmp_path / f"{name}.html").as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )  # fmt: skip
        return (tmp_path / f"{name}.pdf").stat().st_size

    shut = printed(html, "shut")
    assert shut == pytest.approx(printed(html.replace("<details>", "<details open>"), "open"), rel=0.02)
    assert shut > printed(folded.sub("", html), "without")
