"""Whether a night went as its settings promise: judged from the settings, the files, the channel, source and target."""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.rehearsal.night import Night
from tests.night import choices
from tests.night.acting import OUTSIDER, Acted, sessions_of_the_bot
from tests.night.pairs import Row
from tests.night.playing import SIGNALS, WRITES, as_platform, journal, mapped, posts, settings_of, texts, writes

_ALWAYS = ("users", "identities", "mfa_factors", "webauthn_credentials", "buckets", "objects")
_OURS = ("public", "billing", choices.ODD_SCHEMA)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


ALWAYS_JUDGED = (
    "ends",
    "guard",
    "approvals freeze",
    "approvals export",
    "start",
    "freeze",
    "notice",
    "reminders",
    "selection",
    "transport",
    "voice",
    "user",
)
"""Factors of which no two values promise the same, whatever else the night is set to."""
JUDGED_AT_THE_HANDOVER = ("approvals users", "retention", "canary", "users")
"""Those of which the same holds where the night ends in a handover."""


class Judge:
    """`there` are the Supabase ids of people who were in the target before; `before` the source's settings then."""

    def __init__(
        self, night: Night, row: Row, acted: Acted, *, there: list[str], before: list[tuple[str, str, str]]
    ) -> None:
        self._night, self._row, self._acted = night, row, acted
        self._there, self._before = there, before
        self._dry = row["users"] == "dry-run"
        self._events = journal(night)
        self._metadata = json.loads((night.directory / "metadata.json").read_text(encoding="utf-8"))

    async def judge(self) -> None:
        """All of it, ending with a thaw. Raises AssertionError with what is not as the settings promise."""
        self.judge_what_is_there()
        await self._source_stays_frozen()
        await self._commands()

    def judge_what_is_there(self) -> None:
        """Changes nothing."""
        _same("the exit code", self._acted.code, 0 if self._row["ends"] == "once" else 130)
        self._gates()
        self._approvals()
        self._acceptances()
        self._alarms()
        self._findings()
        self._channel()
        self._files_are_private()
        self._users()
        self._rows()
        self._nothing_leaked()
        _same("the export's sessions at once", len(self._acted.workers) <= int(self._row["workers"]), True)
        _same("requests at once", self._night.stack.most_at_once <= int(self._row["concurrency"]), True)

    # -- the gates ----------------------------------------------------------------------------------------------------

    def _gates(self) -> None:
        played = ["freeze", "export"] if self._dry else list(SIGNALS)
        shown = [(p["checkpoint"], p["status"]) for p in posts(self._night, "cutover_checkpoint")]
        _same("the gates, once each", shown, [(gate, "passed") for gate in played])
        _same("the header", [p["status"] for p in posts(self._night, "cutover_run")], ["done"])
        _same("the hard guard", self._acted.locked, self._row["guard"] == "on")
        began = self._when("verification-began", checkpoint="freeze")
        quiet = self._when("checkpoint-passed", checkpoint="freeze") - began
        _same("quiet for long enough", quiet >= timedelta(seconds=int(self._row["quiet seconds"])), True)
        _same("steps that failed", [e for e in self._events if e["type"] == "step-failed"], [])

    def _approvals(self) -> None:
        needed, listed = choices.approvals(self._row), choices.approvers(self._row)
        by = {e["checkpoint"]: tuple(e["by"]) for e in self._of("checkpoint-passed")}
        _same("who opened each gate", by, self._acted.given)
        for gate, people in by.items():
            _same(f"approvals of {gate}", len(set(people)), needed[gate])
            _same(f"strangers at {gate}", set(people) - set(listed), set())
        if self._row["same person"] == "denied" and not self._dry:
            _same("who opened every gate", set(by["freeze"]) & set(by["export"]) & set(by["users"]), set())
        decided = ("signal-accepted", "reason-accepted", "start-asked", "freeze-asked", "released")
        heeded = [e["type"] for e in self._events if e["type"] in decided and e["user"] == OUTSIDER]
        _same("what came of an outsider's words", heeded, [])
        _same("asked to start", len(self._of("start-asked")), int(self._row["start"] == "on-word"))
        _same("asked to freeze", len(self._of("freeze-asked")), int(self._row["freeze"] == "bot"))

    def _acceptances(self) -> None:
        accepted = {e["reason"]: e["user"] for e in self._of("reason-accepted")}
        listed = {u["reason"] for u in self._read("user-attention.json")["users"]}
        if self._dry:
            _same("asked to accept in a dry run", set(accepted.values()) - {"settings"}, set())
            return
        _same("reasons accepted", set(accepted), listed)
        ahead = {"settings"} if self._row["accepted"] == "ahead" else {choices.approvers(self._row)[-1]}
        _same("who accepted them", set(accepted.values()), ahead if listed else set())

    def _alarms(self) -> None:
        reminded = any("has waited for" in text for text in texts(self._night, "cutover_alarm"))
        _same("reminders", reminded, self._row["reminders"] == "0.05")
        told = {e["percent"]: datetime.fromisoformat(e["at"]) for e in self._of("window-told")}
        _same("parts of the window told", len(self._of("window-told")), len(told))
        frozen = datetime.fromisoformat(self._metadata["freeze"]["frozenAt"])
        ended = max(datetime.fromisoformat(e["at"]) for e in self._of("step-ended"))
        window = timedelta(minutes=int(self._row["window"]))
        for percent in (50, 80, 100):
            due = frozen + window * percent / 100
            if percent in told:
                _same(f"{percent} % told in time", due <= told[percent], True)
            elif not any(later > percent for later in told):
                _same(f"{percent} % not due before the end", ended <= due + timedelta(seconds=10), True)

    def _findings(self) -> None:
        last = {f["check"]: f["verdict"] for f in (e["finding"] for e in self._of("finding-made"))}
        _same("failing checks", [check for check, verdict in last.items() if verdict == "fail"], [])
        _same("the notice", last["notice"], "pass" if self._row["notice"] == "shown" else "warn")
        canary = "pass" if (self._row["canary"], self._row["users"]) == ("set", "create") else "warn"
        _same("the canary", last.get("canary-signs-in"), None if self._dry else canary)

    # -- what is on the disk ------------------------------------------------------------------------------------------

    def _files_are_private(self) -> None:
        owner = choices.ANOTHER if self._row["user"] == "another" else os.geteuid()
        for path in (self._night.directory, *self._night.directory.rglob("*")):
            state = path.lstat()
            _same(f"the mode of {path.name}", oct(state.st_mode & 0o777), oct(0o700 if path.is_dir() else 0o600))
            _same(f"the owner of {path.name}", state.st_uid, owner)

    def _rows(self) -> None:
        wanted = dict(self._wanted())
        tables = self._metadata["tables"].values()
        _same("the tables", {(t["schema"], t["table"]) for t in tables}, set(wanted))
        for table in tables:
            name = (table["schema"], table["table"])
            rows = json.loads((self._night.directory / table["file"]).read_text(encoding="utf-8"))
            _same(f"the rows of {name}", (len(rows), table["rowCount"]), (wanted[name], wanted[name]))
        _same("the rows", self._metadata["totals"]["rows"], sum(wanted.values()))
        if "auth.mfa_factors" in choices.excluded(self._row):
            [factors] = [t for t in tables if t["table"] == "mfa_factors"]
            _same("secrets", [c["name"] for c in factors["columns"] if c["name"] == "secret"], [])
        left_out = {one["name"]: one["reason"] for one in self._metadata["leftOut"]}
        for name in set(choices.excluded(self._row)) - {"auth.mfa_factors"}:
            full = name if "." in name else f"public.{name}"
            _same(f"why {full} is left out", left_out.get(full), "export.exclude_tables names it")

    def _wanted(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Every table that is to be exported, with its rows in the source: counted by the platform's superuser."""
        included, excluded = choices.included(self._row), choices.excluded(self._row)
        with as_platform(self._night) as source:
            found = source.execute(
                "SELECT nspname, relname, relkind, c.oid::regclass::text FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND NOT relispartition"
                " AND (nspname = ANY (%s) OR nspname IN ('auth', 'storage') AND relname = ANY (%s))"
                " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
                [list(_OURS), list(_ALWAYS)],
            ).fetchall()
            for schema, name, kind, relation in found:
                if schema in _OURS:
                    if included and schema not in included:
                        continue
                    if f"{schema}.{name}" in excluded or (schema == "public" and name in excluded):
                        continue
                only = "ONLY " if kind == "r" else ""
                [[count]] = source.execute(f"SELECT count(*) FROM {only}{relation}".encode()).fetchall()
                yield (schema, name), count

    def _users(self) -> None:
        night, row = self._night, self._row
        with as_platform(night) as source:
            everybody = {id_ for (id_,) in source.execute("SELECT id::text FROM auth.users").fetchall()}
        there = {path.name for path in night.directory.iterdir()}
        if self._dry:
            _same("users created in a dry run", len(night.stack.users), 0)
            _same("what a dry run leaves", there & {"user-mapping.json", "SHA256SUMS", "users.jsonl"}, set())
            return
        mapping, outcomes = self._read("user-mapping.json"), mapped(night.directory)
        _same("everybody", set(outcomes), everybody)
        kinds = Counter("unmapped" if what == "unmapped" else what for what, _ in outcomes.values())
        _same("the mapping's counts", mapping["counts"]["users"], len(everybody))
        kept = datetime.fromisoformat(mapping["retainUntil"]) - datetime.fromisoformat(mapping["generatedAt"])
        _same("retainUntil", kept, timedelta(days=int(row["retention"])))
        if row["users"] == "create":
            _same("created", kinds, Counter({"created": len(everybody)} if everybody else {}))
            stored = Counter(user.server_metadata["supabase"]["id"] for user in night.stack.users.values())
            _same("who is in the target", stored, Counter(everybody))
        else:
            _same("matched", {id_ for id_, (what, _) in outcomes.items() if what == "matched"}, set(self._there))
            _same("created in the mode match", len(night.stack.users), len(self._there))
            why = {reason for what, reason in outcomes.values() if what == "unmapped"}
            _same("why the others are unmapped", why, {"not-in-target"} if len(everybody) > len(self._there) else set())

    # -- the channel --------------------------------------------------------------------------------------------------

    def _channel(self) -> None:
        permission = [m for m in self._night.slack.messages if m.payload and not m.deleted]
        keys = Counter(m.payload["key"] for m in permission)
        _same("posted twice", {key: n for key, n in keys.items() if n > 1}, {})
        _same("pinned", self._night.slack.pins, [m.ts for m in permission if m.event_type == "cutover_run"])
        closings = [m for m in permission if m.event_type == "cutover_summary" and m.payload["checkpoint"] == ""]
        _same("closings", len(closings), 0 if self._dry else 1)
        export = posts(self._night, "cutover_summary")[0]
        totals = self._metadata["totals"]
        _same("the summary", (export["tables"], export["rows"]), (totals["tables"], totals["rows"]))
        over_http = self._row["transport"] == "http"
        _same("sockets opened", self._night.slack.connections_opened > 0, not over_http)
        via = {event["via"] for event in self._of("message-heard")}
        if self._row["voice"] == "buttons":
            via -= {"message"}  # there is a button for the words of the gates alone
        voice = {"typed": "message", "commands": "command", "buttons": "button"}[self._row["voice"]]
        _same("how people were heard", via, {voice})

    def _nothing_leaked(self) -> None:
        slack, environment = self._night.slack, self._night.environment
        secrets = [
            *self._night.company.secrets,
            *(value for name, value in environment.items() if value and name.endswith(("_TOKEN", "_KEY", "_SECRET"))),
        ]
        channel = json.dumps([[m.text, m.blocks, m.metadata, m.past] for m in slack.messages], default=repr)
        charset = "latin-1" if self._row["locale"].endswith("8859-1") else "utf-8"
        log = self._night.log_file.read_bytes().decode(charset)
        for what, text in (("the channel", channel), ("the log", log)):
            _same(f"secrets in {what}", [secret for secret in secrets if secret in text], [])
            _same(f"addresses in {what}", _ADDRESS.findall(text), [])
        lines = [line for line in log.splitlines() if line.startswith("{")]
        _same("lines of the log that are no JSON", len(log.splitlines()) - len(lines) <= 1, True)
        _same("levels", {json.loads(line)["level"] for line in lines} - {"info", "warning"}, set())

    # -- afterwards ---------------------------------------------------------------------------------------------------

    async def _source_stays_frozen(self) -> None:
        answers = await writes(self._night)
        _same("a write by SQL", answers["sql"], "25006")
        _same("writes by the API", [w for w, status in answers.items() if status == WRITES[w]], [])
        _same("sessions left", sessions_of_the_bot(self._night), 0)

    async def _commands(self) -> None:
        night = self._night
        (code, out, err), told = await asyncio.gather(night.command("report"), night.status())
        _same(f"report: {out}{err}", code, 0)
        _same("the phase", told["status"], "done")
        for command in ("thaw", "verify"):
            code, out, err = await night.command(command)
            _same(f"{command}: {out}{err}", code, 0)
        _same("the source's settings", settings_of(night), self._before)
        _same("writes after the thaw", await writes(night), WRITES)
        self._files_are_private()
        page = (night.directory / "report.html").read_text(encoding="utf-8")
        _same("addresses on the page", _ADDRESS.findall(page), [])

    # -- reading ------------------------------------------------------------------------------------------------------

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self._events if event["type"] == kind]

    def _when(self, kind: str, **fields: str) -> datetime:
        found = [e for e in self._of(kind) if fields.items() <= e.items()]
        return datetime.fromisoformat(found[0]["at"])

    def _read(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(Path(self._night.directory / name).read_text(encoding="utf-8"))
        return read


def _same(what: str, found: object, wanted: object) -> None:
    assert found == wanted, f"{what}: found {found!r}, and the settings promise {wanted!r}"
