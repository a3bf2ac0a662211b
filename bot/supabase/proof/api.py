"""Does the public API refuse writes, and by what? Asked by trying, with each key; of roles without a key, by looking.

Our hook makes every transaction of the API read-only, so that writes are refused with 25006. Other means count as well,
since a freeze is what it does: whatever error the team's own hook raises, role settings, or rights that were revoked.
No hook but ours is judged by its text, and we call none: the gateway calls it, as the role that the key is for. What is
not a refusal:

    an error that says that the hook itself broke, or a time-out    not examined
    rights revoked on one table                                     the other tables are to be written to
    rights revoked on every table                                   functions write with their owner's rights
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import CutoverError
from bot.plan.checks import unmade
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase import guard
from bot.supabase.api_client import NO_ANSWER, DataApiOff, KeyName
from bot.supabase.catalog.platform import platform_schemas
from bot.supabase.database import READ_ONLY, Session, query, translated
from bot.supabase.formatting import listed, shown
from bot.supabase.freeze.kit import GATE
from bot.supabase.freeze.layers import Layers
from bot.supabase.gateway import Gateway, Method
from bot.supabase.proof.probes import ApiAnswers, api_writes
from bot.supabase.proof.refusals import HOW_TO_FREEZE

_RELOAD_TRIES = 10
_RELOAD_PAUSE = 0.5
_NO_RIGHT = "42501"
_WAITS = {"55P03", "57014", NO_ANSWER}
"""A lock was not to be had in time, or the time was up."""
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_NOT_A_HOOKS_WORD = ("08", "22", "23", "40", "42", "53", "54", "55", "57", "58", "F0", "XX", "3D", "3F")
"""Classes of errors that a hook does not raise to refuse: it broke, or something else did."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """What the API said. `refuses` when a freeze may count by it, as far as its keys go; `off` when the project has
    none; `by_rights` when it refuses because no role of it has a right to write.
    """

    finding: Finding
    refuses: bool
    off: bool = False
    by_rights: bool = False


async def api_refuses(session: Session, gateway: Gateway | None, layers: Layers) -> Api:
    """Where the kit's hook is set, the API gets a few seconds to read its settings."""
    check = "api-refuses-writes"
    if gateway is None:
        text = "The public API was not tested: no key is set."
        return Api(finding=warned(check, text, "Set SUPABASE_SERVICE_ROLE_KEY."), refuses=False)
    try:
        guarded = await guard.is_set(session)
        answers = await api_writes(session, gateway, guarded=guarded)
        for _ in range(_RELOAD_TRIES if layers.hook == GATE and not guarded else 0):
            if answers is None or set(answers.codes.values()) <= {READ_ONLY}:
                break
            await asyncio.sleep(_RELOAD_PAUSE)
            answers = await api_writes(session, gateway, guarded=guarded)
    except DataApiOff:
        return Api(finding=_off(), refuses=True, off=True)
    except CutoverError as error:
        return Api(finding=unmade(check, error), refuses=False)
    if answers is None:
        text = "The public API exposes no table to test a write on."
        return Api(finding=warned(check, text, ""), refuses=False)
    return await _judged(session, answers, layers, guarded=guarded)


def _off() -> Finding:
    return warned(
        "api-refuses-writes",
        "The project's Data API is off (503, PGRST002), so no write comes through it. This part of the freeze is not "
        "needed.",
        "Leave it off tonight. Switched on, it accepts writes unless the freeze's hook is set.",
    )


async def _judged(session: Session, answers: ApiAnswers, layers: Layers, *, guarded: bool) -> Api:
    check = "api-refuses-writes"
    codes = answers.codes
    accepted = {asked: code for asked, code in codes.items() if not code}
    if accepted:
        text = ", ".join(f"{method} with the key {key}" for key, method in accepted)
        return Api(
            finding=failed(
                check,
                f"The public API accepts writes: {text}. A read-only database does not stop it, because it opens its "
                "transactions READ WRITE.",
                f"{HOW_TO_FREEZE} If you did, the API has not read its settings: NOTIFY pgrst, 'reload config'",
            ),
            refuses=False,
        )
    keys = " and ".join(dict.fromkeys(key for key, _ in codes))
    held = {READ_ONLY, *(_WAITS if guarded and layers.hook_is_ours else ())}
    others = {asked: code for asked, code in codes.items() if code not in held}
    if not others:
        waits = " or waits for the hard guard" if set(codes.values()) & _WAITS else ""
        return Api(
            finding=passed(check, f"The public API refuses writes (25006){waits} with the key {keys}."), refuses=True
        )
    own_hook = layers.hook not in {"", GATE}
    may = await _rights_to(session, answers) if own_hook and _NO_RIGHT in others.values() else set()
    by_hook = {
        asked
        for asked, code in others.items()
        if own_hook and (_a_hooks_word(code) or (code == _NO_RIGHT and asked[0] in may))
    }
    by_rights = {asked for asked, code in others.items() if code == _NO_RIGHT} - by_hook
    unknown = {asked: code for asked, code in others.items() if asked not in by_hook | by_rights}
    if unknown:
        return Api(finding=_not_examined(unknown, layers), refuses=False)
    if by_rights:
        return await _by_rights(session, keys)
    raised = " and ".join(sorted({others[asked] for asked in by_hook}))
    text = f"The public API refuses writes with the key {keys}: its own hook {shown(layers.hook)} raises {raised}."
    return Api(finding=passed(check, text), refuses=True)


def _a_hooks_word(code: str) -> bool:
    return _SQLSTATE.fullmatch(code) is not None and not code.startswith(_NOT_A_HOOKS_WORD)


def _not_examined(unknown: Mapping[tuple[KeyName, Method], str], layers: Layers) -> Finding:
    text = ", ".join(f"{key} {method}: {code}" for (key, method), code in unknown.items())
    hook = f" Its pre-request hook is {shown(layers.hook)}." if layers.hook else ""
    return failed(
        "api-refuses-writes",
        "The test of the public API gave no answer: a write failed with an error that is not a refusal "
        f"({text}).{hook}",
        f"Fix the cause of that error. Or: {HOW_TO_FREEZE}",
        waivable=True,
    )


async def _by_rights(session: Session, keys: str) -> Api:
    tables, functions = await could_write(session)
    if not tables and not functions:
        text = f"The public API refuses writes with the key {keys} (42501): none of its roles may write."
        return Api(finding=passed("api-refuses-writes", text), refuses=True, by_rights=True)
    left = [*functions, *tables]
    return Api(
        finding=failed(
            "api-refuses-writes",
            "The public API refuses this write for lack of permission (42501). That is not a freeze: its roles can "
            f"still {'run functions with the rights of their owners' if functions else 'write to other tables'}: "
            f"{listed(left)}.",
            f"{HOW_TO_FREEZE} Or revoke these permissions too.",
        ),
        refuses=False,
    )


async def could_write(session: Session) -> tuple[list[str], list[str]]:
    """What roles of the API may use to write, with the roles: tables, and functions that have their owner's rights."""
    with translated("the rights of the API's roles could not be looked up"):
        rows = await (await session.execute(query("api_rights"))).fetchall()
    platform = await platform_schemas(session)
    ours = [row for row in rows if row[1] not in platform]
    return _named(ours, "table"), _named(ours, "function")


def _named(rows: Sequence[tuple[str, ...]], kind: str) -> list[str]:
    return [f"{name} ({roles})" for what, _, name, roles in rows if what == kind]


async def _rights_to(session: Session, answers: ApiAnswers) -> Collection[str]:
    wanted = {"roles": list({key for key, _ in answers.codes}), "schema": answers.schema, "table": answers.table}
    with translated("the rights to the probed table could not be looked up"):
        return {role for (role,) in await (await session.execute(query("probe_rights"), wanted)).fetchall()}


def api_hook(layers: Layers, api: Api) -> Finding:
    """For the roles that no key is known of."""
    check = "api-hook"
    if api.off:
        return warned(check, "The project's Data API is off, so no hook is needed.", "")
    if layers.hook_is_ours:
        return passed(check, f"The hook {GATE} refuses writes for all other roles of the API too.")
    if layers.hook == GATE:
        text = f"The hook {GATE} is set, but it is not the one that the freeze SQL creates: {listed(layers.missing)}."
        return failed(check, text, HOW_TO_FREEZE)
    if layers.hook and api.refuses:
        return warned(
            check,
            f"The hook {shown(layers.hook)} is set for authenticator. Whether it also refuses roles whose key Cutover "
            "does not have is not proven.",
            f"Read the hook and make sure. Or: {HOW_TO_FREEZE}",
        )
    if api.by_rights:
        return passed(check, "No role of the API may write, or run a function that could.")
    return failed(
        check,
        f"The pre-request hook {GATE} is not set, so nothing refuses writes for every role of the API.",
        HOW_TO_FREEZE,
    )
