"""What the posts of a run show of it now: their status, and the state by which an edit is known to be due. Pure."""

from __future__ import annotations

import hashlib

from bot.plan import posts
from bot.plan.posts import Post
from bot.plan.run import Phase, Run

_MOVING = (posts.Header, posts.Gate, posts.Checklist)
"""Beside alarms, the posts whose status follows the run; all others, which are most, show their own for good."""


def header_status(run: Run) -> str:
    match run.phase:
        case Phase.WAITING:
            return "waiting"
        case Phase.HELD:
            return "held"
        case Phase.DONE:
            return "done"
        case Phase.ABORTED:
            return "aborted"
        case _:
            return "running"


def status_of(run: Run, post: Post) -> str:
    """The status that the channel should show for a post now."""
    match post.body:
        case posts.Header():
            return header_status(run)
        case posts.Gate(checkpoint, offer):
            return run.offers[checkpoint, offer].status
        case posts.Checklist(checkpoint, number):
            return _status_of_list(run, checkpoint, number)
        case _ if post.alarm is not None:
            return "waiting" if post.alarm in run.alarms else "done"
        case _:
            return post.status


def _status_of_list(run: Run, checkpoint: str, number: int) -> str:
    """`passed` once the gate is on offer; `void` when a newer list or an earlier gate has taken its place."""
    checklist = run.checklists[checkpoint]
    if checklist.number != number or run.plan.position(checkpoint) > run.plan.position(run.gate.name):
        return "void"
    return "passed" if checklist.is_complete else "waiting"


def displayed_state(run: Run, post: Post) -> str:
    """What the post must show of the run now: when it differs from what is shown, the message is edited. A gate
    that is refused again has another state, so that readers see that something happened.

    It is asked of every post of the run whenever anything has happened.
    """
    if post.alarm is None and not isinstance(post.body, _MOVING):
        return post.status
    status = status_of(run, post)
    match post.body:
        case posts.Gate(checkpoint, offer):
            shown = run.offers[checkpoint, offer]
            more = f" {len(shown.by)} of {shown.needed}" if status == "waiting" and shown.by else ""
            window = _window(run) if run.lengthenings and run.plan.gate(checkpoint).freezes else ""
            return f"{status} {shown.attempt}{more}{window}"
        case posts.Checklist(checkpoint, _) if status != "void":
            return " ".join([status, *(item.state for item in run.checklists[checkpoint].items.values())])
        case posts.Header():
            why = f" {hashlib.sha256(repr(run.hold).encode()).hexdigest()[:8]}" if run.hold else ""
            return f"{status} {run.gate_key} {run.phase}{why}{_window(run)}"
        case _:
            return status


def _window(run: Run) -> str:
    return f" window {run.lengthenings[-1].minutes}" if run.lengthenings else ""
