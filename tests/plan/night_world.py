"""What is said and done in the nights of the stateful test, and the world as it truly is: told by nobody but the rules
and the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from .chart import HANDLE_DATA, ITEMS, USUAL, Chart
from .contract import Spoiled
from .histories import ANN, BEN, EVE, NED, STRANGER, Finding

LISTED = (ANN, BEN)
PEOPLE = st.sampled_from([ANN, ANN, BEN, EVE, STRANGER])
AS_SIGNALS = ["{signal}", "*{signal}*!", "<@U0BOT> `{signal}`."]
NEARLY = ["not {signal} yet", "{signal}?", "froze", "good morning"]
WORDS = ["status", "retry", "retry", "abort", "abort yes", "accept phone-only", "accept sso", "coffee", "signal"]
LEAVE_OUT = "accept unreadable:public.caches: it is made anew"
DECIDE = f"decide {NED} skip"
WAIVE = "accept quiet: it is known"
LOOKED_AT = "accept still-since-live: the team looked at it"
HOLD = "hold it is late"
LEAVE_OUT_LONGER = "accept unreadable:public.orders archive: it is old"
WORDS += [
    LEAVE_OUT,
    LEAVE_OUT_LONGER,
    DECIDE,
    WAIVE,
    HOLD,
    "thaw",
    "thaw yes",
    "release",
    "start",
    "report",
    "who",
    LOOKED_AT,
    "window 90",
    "window 600",
    "window 45",
]
KEYS = st.sampled_from([*ITEMS, "ttl", "lunch"])
WHY = "Carol looks after it"
UNREADABLE = ("public.caches", "public.orders", "public.orders archive")
ROLES = [{ANN, BEN}, {ANN, EVE}, {ANN, BEN, EVE}]
"""Who is an approver at a time: people are put into groups and taken out of them in the middle of a night."""
NEEDED = st.sampled_from([{}, {}, {"freeze": 2}, {"export": 2, "users": 2}, {"live": 2, "dns": 2, "readiness": 2}])
SIGNALLED = st.one_of(
    st.tuples(st.sampled_from(AS_SIGNALS), st.just("current")),
    st.tuples(st.sampled_from(AS_SIGNALS), st.integers(0, 8)),
    st.tuples(st.sampled_from(NEARLY), st.just("current")),
)
"""What is said, and the gate whose word it speaks of: the one at hand, or any of the plan by its place."""
REACHES = st.sampled_from(["heeded", "heeded", "heeded", "unvouched", "crossing", "heard", "missed"])
ALMOST = [
    (ANN, "{signal}?", True),
    (BEN, "{other}", True),
    (EVE, "{signal}", True),
    (STRANGER, "{signal}", True),
    (ANN, "{signal}", False),
]
"""Who almost opens a gate: the person, the text, and whether Slack says who it is."""
TROUBLES = st.sampled_from(
    [
        *("", "", "refused", "cut off", "step fails", "drift", "thaw fails", "verifying", "aborted", "blind"),
        *(
            "a tick",
            "taken back",
            "taken back while checked",
            "users again",
            "moved and held",
            "thawed",
            "thawed beside",
        ),
    ]
)
DIES = st.sampled_from([None, None, None, True, False])
"""Whether what is decided comes to the disk before the process is killed there; None when it lives on."""
SORTS = st.sampled_from([{}, {}, {}, {"waits": True}, {"dry": True}, {"guard": True}, {"deny": True}])
"""Runs that wait for the word `start`, change no user, keep the hard guard, are handed over by another person."""
SEEN = st.sampled_from(["reporting", "reporting", "billing"])
"""Whose override a check finds."""
GATE_STATUSES = {
    "waiting": {"verifying", "void"},
    "verifying": {"passed", "refused", "void", "waiting"},
    "refused": {"verifying", "void", "waiting"},
    "passed": {"void"},
    "void": set[str](),
}


@dataclass(frozen=True)
class Message:
    """What is in the channel. `signal` is the gate whose word it is, "" for anything else."""

    ts: str
    user: str
    text: str
    thread_ts: str | None
    signal: str
    button: bool = False
    list: tuple[str, int] | None = None
    """The checklist on which the button is."""


@dataclass
class World:
    """What truly happened, told by nobody but the rules and the journal."""

    channel: dict[str, str] = field(default_factory=dict)
    """Key -> ts of what is really there, also when the bot does not know it."""
    reminders: int = 0
    """Left for the end of the retention, and kept by the channel's service."""
    stood: dict[str, str] = field(default_factory=dict)
    """Key -> ts at which it first stood there."""
    said: dict[str, Message] = field(default_factory=dict)
    approvers: set[str] = field(default_factory=lambda: {ANN, BEN})
    needed: dict[str, int] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)
    """Messages whose author Slack named when they were judged."""
    was_approver: set[str] = field(default_factory=set)
    """Those whose author was an approver just then."""
    answered: list[str] = field(default_factory=list)
    chart: Chart = USUAL[1]
    offer: tuple[str, int] = ("", 0)
    """The gate at hand, and the number of its offer: 0 while its checklist is open."""
    digest: str = ""
    list_number: int = 0
    """Of the checklist at hand."""
    items: dict[str, str] = field(default_factory=dict)
    """The checklist at hand, by key: "open", "ticked" or "accepted"."""
    lists: dict[str, int] = field(default_factory=dict)
    """How many lists each gate has had."""
    passed: dict[str, int] = field(default_factory=dict)
    """The gates that are passed, in order, each by the number of its offer."""
    opened_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    """The steps that have ended since the freeze gate was put forward last."""
    deny: bool = False
    """Whoever opened every gate that handles the data may not hand over."""
    approvals: list[str] = field(default_factory=list)
    """The ts of the messages that count for the gate at hand."""
    checks_passed: bool = False
    """All checks of the verification at hand are over, and nothing stops the gate."""
    judged_again: dict[str, bool | None] = field(default_factory=dict)
    """What Slack said since then of the authors of these messages: entitled, not, or nothing."""
    lapsed: set[str] = field(default_factory=set)
    needed_today: dict[str, int] = field(default_factory=dict)
    """How many approvals the settings ask for that this process was given."""
    spent: set[str] = field(default_factory=set)
    findings: list[Finding] | None = None
    """Of the verification at hand; None when none has begun."""
    may_run: str = ""
    """The step behind the gate that passed last, until it ends or is dropped."""
    frozen: bool = False
    """Whether there is a freeze record to hold the source against."""
    drifted: bool = False
    abort_words: list[str] = field(default_factory=list)
    aborting: bool = False
    thaw_words: list[str] = field(default_factory=list)
    thawing: bool = False
    sealed: bool = False

    @property
    def gate(self) -> str:
        """At hand; "" before the first."""
        return self.offer[0]

    @property
    def open_items(self) -> list[str]:
        return [key for key, state in self.items.items() if state == "open"]

    def may_not_hand_over(self, user: str) -> bool:
        opened_all = all(user in self.opened_by.get(gate, ()) for gate in HANDLE_DATA)
        return self.deny and self.gate == "users" and opened_all

    def takes(self, gate: str) -> int:
        """How many people's approvals, by the stricter of the settings at the opening and of today's."""
        return max(self.needed.get(gate, 1), self.needed_today.get(gate, 1))


def step(**told: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule, behind which the witness looks at the bot. Where it met a known fault behind which nothing more can be
    judged, another night begins.
    """
    return lambda doing: rule(**told)(witnessed(doing))


def witnessed(doing: Callable[..., None]) -> Callable[..., None]:
    @wraps(doing)
    def then_looked_at(self: Any, **drawn: Any) -> None:
        try:
            doing(self, **drawn)
            self.the_witness_looks()
        except Spoiled:
            self.begin_night()
            self.opened(gates=0, step=False, then="", needed={}, sort={})

    return then_looked_at
