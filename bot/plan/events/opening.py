"""Between whom, under which rules, and by which process the run goes."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from bot.plan.events.fact import Event, Fact, PersonalEvent
from bot.plan.findings import Finding
from bot.plan.gates import DEFAULT
from bot.plan.plan import Plan
from bot.plan.practice import Practice


class Parties(Fact):
    """Between whom the run moves: shown in every checkpoint and part of its evidence."""

    source_ref: str
    source_database: str
    target_project: str


Via = Literal["message", "button", "command"]
"""How a person said something: in the channel, with a gate's button, or as a slash command."""

FreezeMode = Literal["people", "bot"]
"""Who runs the freeze kit: people, with the SQL that they are shown, or the bot, when an approver asks it to."""


UsersVerify = Literal["all", "sample"]
"""Whether everybody mapped is compared with the export field by field, or a sample and whoever needs a closer look."""


class Rules(Fact):
    """What the settings say about who may open which gate, and what of the source is taken, as it was when the run was
    opened.

    `approvals` is by checkpoint the number of distinct approvers that it needs; 1 where none is named.
    """

    groups: tuple[str, ...] = ()
    """User groups whose members are approvers too."""
    approvals: dict[str, int] = Field(default_factory=dict)
    deny_same_person: bool = False
    """Whoever opened all earlier gates may not open the last."""
    freeze_mode: FreezeMode = "people"
    hold_locks: bool = False
    """Locks keep everybody from writing from the export until it is checked, whatever they override."""
    users_verify: UsersVerify = "all"
    window_minutes: int | None = None
    """How long users can be kept out, from the freeze record on; None when no window was set."""
    start_on_word: bool = False
    """The first gate is not offered until an approver says `start`."""
    include_schemas: tuple[str, ...] = ()
    """Only these are exported, when any is named; the users' tables always are."""
    exclude_tables: tuple[str, ...] = ()
    """As `schema.table`, or only `table` for one of `public`."""


class Entitlement(Fact):
    """What the settings say about who may open gates. `approvals` is by checkpoint, 1 where none is named."""

    users: tuple[str, ...]
    groups: tuple[str, ...] = ()
    approvals: dict[str, int] = Field(default_factory=dict)
    deny_same_person: bool = False

    @property
    def may(self) -> tuple[str, ...]:
        """People and user groups, by their Slack ids."""
        return (*self.users, *self.groups)

    def says_the_same_as(self, other: Entitlement) -> bool:
        """Whatever the order of names, and whether a single approval is written down or not."""
        return self._plainly == other._plainly

    @property
    def _plainly(self) -> tuple[object, ...]:
        several = {gate: needed for gate, needed in self.approvals.items() if needed > 1}
        return set(self.users), set(self.groups), several, self.deny_same_person


UsersMode = Literal["create", "match", "dry-run"]
"""Whether users who are not in the target are created, only matched, or nothing is changed and all is only foreseen."""


class RunOpened(Event):
    """`practice` is the last one before; `estimated_rows` is what the source's planner believed when it was opened."""

    type: Literal["run-opened"] = "run-opened"
    version: int = 1
    run_id: str
    plan: Plan = DEFAULT
    """The gates in their order, from here on and whatever the settings say later."""
    parties: Parties
    channel: str
    approvers: tuple[str, ...]
    retain_days: int
    accepted_ahead: tuple[str, ...] = ()
    users_mode: UsersMode = "create"
    rules: Rules = Rules()
    way_back: str = ""
    """The SQL that thaws, with what was set when the run was opened, as a message that can be copied."""
    source_tls: Finding | None = None
    """What is not proven of the server that answers for the source; None when nothing is open about it."""
    abandons: str = ""
    """The run that was given up for this one, its journal lost."""
    practice: Practice | None = None
    estimated_rows: int | None = None
    api_counts: bool | None = None
    """Whether the public API counted a table when it was opened; None where nobody asked."""
    names: dict[str, str] = Field(default_factory=dict)
    """What the approvers are called, by id; those whom Slack named."""

    @property
    def entitlement(self) -> Entitlement:
        return Entitlement(
            users=self.approvers,
            groups=self.rules.groups,
            approvals=self.rules.approvals,
            deny_same_person=self.rules.deny_same_person,
        )


class StartAsked(PersonalEvent):
    """An approver let a run begin that had waited for the word."""

    type: Literal["start-asked"] = "start-asked"
    ts: str


class BotLeft(Event):
    """The process ended while a freeze was in place; `why` is our own sentence, "" when it was to end here. One that
    was killed leaves none.
    """

    type: Literal["bot-left"] = "bot-left"
    why: str


class BotStarted(Event):
    """A process took the run up again; `away_since` is the time of the last event before. `entitlement` is what the
    settings say that this process was given, beside those that the run was opened with. `otherwise` names the settings
    that say otherwise than then, and of which the run keeps its own. `names` are those of approvers that were not known
    before.
    """

    type: Literal["bot-started"] = "bot-started"
    away_since: AwareDatetime
    entitlement: Entitlement | None = None
    otherwise: tuple[str, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
