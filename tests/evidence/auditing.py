"""An auditor who trusts nothing but the files: reads report.html as HTML and holds it against journal.jsonl as JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from bot.commands.report import report

_VOID = {"br", "meta", "hr", "img", "input", "link", "col", "wbr"}
_LOADS = {"script", "img", "link", "iframe", "object", "embed", "form", "audio", "video", "source", "base", "svg"}
ON_THE_TIMELINE = {
    "bot-left": "bot ended",
    "bot-started": "restart",
    "checkpoint-offered": "checkpoint",
    "checkpoint-passed": "passed",
    "checkpoint-refused": "refused",
    "checkpoint-voided": "void",
    "signal-accepted": "approval",
    "approval-lapsed": "approval void",
    "check-waived": "waiver",
    "reason-accepted": "accepted",
    "unreadable-accepted": "accepted",
    "item-ticked": "tick",
    "item-unticked": "untick",
    "item-accepted": "accepted open",
    "hold-asked": "hold",
    "retry-asked": "retry",
    "drift-seen": "drift",
    "thaw-asked": "thaw",
    "thaw-confirmed": "thaw",
    "thawed": "thaw",
    "unfrozen": "thaw",
    "abort-asked": "abort",
    "abort-confirmed": "abort",
    "run-aborted": "abort",
    "window-told": "window",
    "window-lengthened": "window",
    "step-failed": "step stopped",
    "released": "release",
}
"""What the page must tell, by its name in the journal: under which word."""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for part in self.inside:
            if isinstance(part, str):
                yield part
            elif part.tag != "style":
                yield from part._texts()

    def all(self, *tags: str) -> "list[Element]":
        """Of these kinds, at any depth, in the order of the page."""
        found = []
        for part in self.inside:
            if isinstance(part, Element):
                found += [part] if part.tag in tags else []
                found += part.all(*tags)
        return found

    def by_id(self, id_: str) -> "Element":
        [found] = [one for one in self.all_of_them() if one.attributes.get("id") == id_]
        return found

    def all_of_them(self) -> "list[Element]":
        return [one for part in self.inside if isinstance(part, Element) for one in (part, *part.all_of_them())]


class _Tree(HTMLParser):
    """Refuses whatever is not closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open = [Element("")]
        self.feed(html)
        self.close()
        assert [one.tag for one in self.open] == [""], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


class Audit:
    """Of the bundle in a directory, whose page has been written. Each `must_…` raises AssertionError."""

    def __init__(self, directory: Path) -> None:
        self.html = (directory / "report.html").read_text(encoding="utf-8")
        self.page = _Tree(self.html).open[0]
        self.lines = [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]
        self.summary = self._terms("summary")
        self.tiles = {
            tile.all("dt")[0].text: tile.all("dd")[0].text
            for one in self.page.all("dl") if one.attributes.get("class") == "tiles" for tile in one.all("div")
        }  # fmt: skip
        self.timeline = [row for row in self._section("timeline").all("table")[0].all("tr") if row.all("td")]

    def must_be_sound(self) -> None:
        """It is HTML that loads nothing, with a place for each thing that it points to, and headings in their order."""
        everything = self.page.all_of_them()
        ids = [one.attributes["id"] for one in everything if "id" in one.attributes]
        assert len(set(ids)) == len(ids)
        assert not {one.tag for one in everything} & _LOADS
        assert not [one for one in everything if {"src", "srcset", "background"} & set(one.attributes)]
        assert not [n for one in everything for n in one.attributes if n.startswith("on")]
        assert not re.search(r"url\(|@import|image-set|expression\(", self.html)
        for address in (one.attributes["href"] for one in self.page.all("a")):
            if address.startswith("#"):
                assert address[1:] in ids, address
            else:
                pattern = r"https://slack\.com/archives/[A-Z0-9]+/p[0-9]+(\?thread_ts=[0-9.]+&cid=[A-Z0-9]+)?"
                assert re.fullmatch(pattern, address), address
        assert {one.attributes["aria-labelledby"] for one in everything if "aria-labelledby" in one.attributes} <= {
            *ids
        }
        assert [len(self.page.all(tag)) for tag in ("html", "head", "title", "body", "main", "h1")] == [1] * 6
        levels = [int(one.tag[1]) for one in self.page.all("h1", "h2", "h3", "h4", "h5", "h6")]
        assert all(below <= above + 1 for above, below in pairwise(levels)), levels
        for table in self.page.all("table"):
            assert table.all("th"), "a table without headings"
            assert all("scope" in heading.attributes for heading in table.all("th"))
        for row in self.page.all("tr"):
            open_ = row.all("td")
            assert all(cell.text for cell in open_ if "empty" not in cell.attributes.get("class", "").split()) or (
                {"blank", "draw"} & {kind for cell in open_ for kind in cell.attributes.get("class", "").split()}
                or "Share" in {cell.attributes.get("data-label") for cell in open_}
            ), row.text

    def must_tell_the_journal(self) -> None:
        """Each of the events that move a run has its row, at its line, under its word, with who did it; and nothing is
        told that the journal does not have.
        """
        rows = {int(line): row for row in self.timeline if (line := self.cell(row, "Line")).isdecimal()}
        names = {line["user"]: line["name"] for line in self.lines if line.get("user") and line.get("name")}
        for line in self.lines:
            if (word := ON_THE_TIMELINE.get(line["type"])) is None:
                continue
            row = rows[line["n"]]
            assert self.cell(row, "What") == word
            at = line["at"]
            assert self.cell(row, "When") == f"{at[:10]} {at[11:19]}"
            if line.get("user"):
                name = line.get("name") or names.get(line["user"], "")
                who = f"{name} {line['user'].replace('settings', 'the settings')}".strip()
                assert self.cell(row, "Who") == who
            for why in (line.get("why"), *line.get("changes", ())):
                assert not why or why.replace("`", "").rstrip(".") in self._bare(row), why
        known = {line["n"] for line in self.lines}
        assert set(rows) <= known

    def must_link_what_was_posted(self) -> None:
        """A row of the timeline links to the messages that the journal has of it, and to nothing else."""
        posted = {line["key"]: line["ts"] for line in self.lines if line["type"] == "posted"}
        lost = {line["ts"] for line in self.lines if line["type"] == "post-lost"}
        typed = {line["ts"] for line in self.lines if line["type"] == "message-heard" and line["via"] == "message"}
        there = typed | (set(posted.values()) - lost)
        by_line = {str(line["n"]): line for line in self.lines}
        for row in self.timeline:
            line = by_line.get(self.cell(row, "Line"), {})
            linked = [self.ts_of(a.attributes["href"]) for a in row.all("a")]
            assert set(linked) <= there
            if line.get("user") and line.get("ts") in typed:
                assert line["ts"] in linked
            if line.get("type") == "checkpoint-offered":
                key = f"{self.lines[0]['run_id']}/checkpoint/{line['checkpoint']}/{line['offer']}"
                assert linked == [ts for ts in (posted.get(key),) if ts in there]

    def must_sum_up(self) -> None:
        """What the summary says is what the journal says, counted from its bare lines."""
        opened = self.lines[0]
        parties = opened["parties"]
        assert parties["source_ref"] in self.summary["From"]
        assert parties["source_database"] in self.summary["From"]
        assert parties["target_project"] in self.summary["To"]
        assert opened["run_id"] in self.page.all("h1")[0].text
        assert self.lines[-1]["hash"] in self.summary["Journal"]
        assert self.summary["Journal"].startswith(f"{len(self.lines):,} lines")
        results = {line["step"]: (line["n"], line["result"]) for line in self.lines if line["type"] == "step-ended"}
        if "handover" not in results:
            assert self.summary["Digest"] == "none: there was no handover"
            return
        closing, handover = results["handover"]
        assert f"{handover['digest']} " in self.summary["Digest"]
        assert (
            f", {len(self.lines) - closing:,} of them after the closing (line {closing:,})" in self.summary["Journal"]
        )
        export, users = results["export"][1], results["users"][1]
        assert (self.tiles["Tables"], self.tiles["Rows"]) == (f"{export['tables']:,}", f"{export['rows']:,}")
        assert f" {export['bytes']:,} bytes " in self.summary["Exported"]
        counted = [self.tiles[name] for name in ("Users", "Created", "Matched", "Updated", "Not mapped", "Attention")]
        names = ("users", "created", "matched", "updated", "unmapped", "attention_users")
        assert counted == [f"{users[name]:,}" for name in names]
        approved = [", ".join(line["by"]) for line in self.lines if line["type"] == "checkpoint-passed"]
        assert sorted(re.findall(r"U0[A-Z]+", self.summary["Approved by"])) == sorted(
            user for by in approved for user in by.split(", ")
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def cell(self, row: Element, label: str) -> str:
        found = [one.text for one in row.all("td", "th") if one.attributes.get("data-label") == label]
        return found[0] if found else ""

    def rows(self, word: str) -> list[Element]:
        """Of the timeline, by its word."""
        return [row for row in self.timeline if self.cell(row, "What") == word]

    @staticmethod
    def ts_of(address: str) -> str:
        digits = re.findall(r"/p([0-9]+)", address)[0]
        return f"{digits[:-6]}.{digits[-6:]}"

    def _bare(self, row: Element) -> str:
        return self.cell(row, "Event").replace("‘", "").replace("’", "")

    def _section(self, id_: str) -> Element:
        [found] = [one for one in self.page.all("section") if one.attributes.get("aria-labelledby") == id_]
        return found

    def section(self, id_: str) -> str:
        return self._section(id_).text

    def _terms(self, id_: str) -> dict[str, str]:
        """Each term of a section with what is said of it."""
        listed = [one for one in self._section(id_).all("dl") if "class" not in one.attributes]
        parts = [one for list_ in listed for one in list_.all("dt", "dd")]
        return {term.text: said.text for term, said in zip(parts[::2], parts[1::2], strict=True)}

    def terms(self, id_: str) -> dict[str, str]:
        return self._terms(id_)

    def must_all(self) -> None:
        """All of it."""
        self.must_be_sound()
        self.must_tell_the_journal()
        self.must_link_what_was_posted()
        self.must_sum_up()


def audited(directory: Path) -> Audit:
    """Of a directory as it now is: its page is written, and all is held against the journal."""
    assert report(None, directory) == 0
    audit = Audit(directory)
    audit.must_all()
    return audit
