"""The environment before `.env` before `cutover.toml`, and every mistake of all of them in one go.

A command names what it needs, so that `cutover freeze-sql` asks for no Slack token. The way back needs the connection
to the source and nothing else: there a mistake of another setting is told and hinders nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from bot.errors import UsageError
from bot.plan.compose import PlanRefused
from bot.settings.forms import Need, missing_or_wrong
from bot.settings.planned import of_no_gate, plan_of
from bot.settings.shape import OFTEN, PREFIX, Settings


def load(needs: Iterable[Need] = (), *, config: Path | None = None, directory: Path | None = None) -> Settings:
    """The settings for a command that needs these services. `directory` holds `.env` and, unless `config` names one,
    `cutover.toml`.

    Raises UsageError with every mistake in one sentence.
    """
    found = _read(config, directory)
    _refuse([*found.mistakes, *found.lacking(frozenset(needs))])
    return found.settings


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """What a thaw goes by. `asks_api` is whether address and secret key of the public API are there and can be used."""

    settings: Settings
    asks_api: bool
    mistakes: tuple[str, ...]
    """Of settings that it can do without."""
    api_mistakes: tuple[str, ...]
    """Those for which the public API cannot be asked."""


def for_the_way_back(*, config: Path | None = None, directory: Path | None = None) -> WayBack:
    """The connection to the source, and whatever else can be used; a source stays frozen for no other setting.

    Raises UsageError only for that connection, with every other mistake beside it.
    """
    found = _read(config, directory)
    if wrong := found.lacking(frozenset({"source"})):
        _refuse([*found.mistakes, *wrong])
    chosen = found.settings
    named = chosen.supabase_url is not None or chosen.supabase_service_role_key is not None
    api_mistakes = found.lacking(frozenset({"source_api"})) if named else ()
    return WayBack(
        settings=chosen, asks_api=named and not api_mistakes, mistakes=found.mistakes, api_mistakes=api_mistakes
    )


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What was found, what is wrong left out. `names` says under which other name a setting was given."""

    settings: Settings
    mistakes: tuple[str, ...]
    told: tuple[str, ...]
    names: Mapping[str, str]

    def lacking(self, needs: frozenset[Need]) -> tuple[str, ...]:
        """What is wrong is not missing too."""
        lacks = missing_or_wrong(self.settings, needs, self.names)
        return tuple(mistake for mistake in lacks if not mistake.startswith(self.told))


def _read(config: Path | None, directory: Path | None) -> _Read:
    here = directory or Path()
    environment = _Environment(Settings)
    mistakes: list[str] = []
    if config is not None and not config.is_file():
        mistakes.append(f"--config names {config.name}, and there is no such file")
    filed, wrong = _from_toml(config or here / "cutover.toml")
    mistakes.extend(wrong)
    written, given = dict(environment.env_vars), environment()
    try:
        dotenv = _DotEnv(Settings, env_file=here / ".env")
    except (ValueError, OSError) as error:
        mistakes.append(f".env cannot be read ({type(error).__name__})")
    else:
        written = {**dotenv.env_vars, **written}
        given = _over(given, dotenv())
    mistakes.extend(_strangers(written))
    given, names, disagreeing = _by_other_names(given, written)
    mistakes.extend(disagreeing)
    settings, told = _validated(_over(given, filed))
    mistakes.extend(told.values())
    mistakes.extend(_about_the_plan(settings))
    return _Read(settings=settings, mistakes=tuple(mistakes), told=tuple(told), names=names)


def _about_the_plan(settings: Settings) -> Sequence[str]:
    try:
        return list(of_no_gate(settings, plan_of(settings)))
    except PlanRefused as refused:
        return refused.mistakes


def _by_other_names(
    given: Mapping[str, Any], written: Mapping[str, str | None]
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """With the values that stand under a setting's other name; which they are; and what is wrong with that."""
    whole, names, mistakes = dict(given), {}, []
    for other, name in Settings.OTHER_NAMES.items():
        value = written.get(other.lower())
        if not value:
            continue
        if name not in whole:
            whole[name], names[name] = value, other
        elif whole[name] != value:
            mistakes.append(f"{name} and {other} are the same setting and disagree; keep one of them")
    return whole, names, mistakes


def _refuse(mistakes: Sequence[str]) -> None:
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise UsageError(
            f"The settings have {count}: {'; '.join(mistakes)}",
            unchanged="nothing was contacted or written",
            do="fix the environment, .env or cutover.toml (cutover.example.toml shows every key), and start again",
        )


class _Environment(EnvSettingsSource):
    """A value that is no JSON stays the text it is, so that its mistake is told with all the others."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _DotEnv(_Environment, DotEnvSettingsSource):
    pass


def _from_toml(toml: Path) -> tuple[dict[str, Any], list[str]]:
    """What the file gives, and what is wrong with it as a whole."""
    if not toml.is_file():
        return {}, []
    try:
        found = tomllib.loads(toml.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE_IN_TOML.search(str(error))
        return {}, [f"{toml.name} is no TOML{f' ({place[0]})' if place else ''}"]
    except (ValueError, OSError) as error:
        return {}, [f"{toml.name} cannot be read ({type(error).__name__})"]
    wrong = [f"{toml.name}: [{key}] is no section" for key in found if key not in Settings.SECTIONS]
    return {key: value for key, value in found.items() if key in Settings.SECTIONS}, wrong


_PLACE_IN_TOML = re.compile(r"at line \d+, column \d+|at end of document")


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Both together, key by key; where both say something, `upper` counts."""
    merged = {**lower, **upper}
    for key in upper.keys() & lower.keys():
        if isinstance(upper[key], dict) and isinstance(lower[key], dict):
            merged[key] = _over(upper[key], lower[key])
    return merged


def _validated(given: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings, those that are wrong left out; and by place what is wrong with them."""
    try:
        return Settings(**given), {}
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
    told: dict[str, str] = {}
    right: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    for problem in problems:
        section, *keys = [str(part) for part in problem["loc"]]
        place = f"{section}.{keys[0]}" if keys else section
        if place not in told:
            told[place] = _what_is_wrong(place, problem["type"], problem["msg"])
        if keys:
            right[section].pop(keys[0], None)
        else:
            right.pop(section, None)
    return Settings(**right), told


def _what_is_wrong(place: str, kind: str, said: str) -> str:
    if kind == "extra_forbidden":
        return f"{place} is no key"
    if kind == "said":
        return f"{place} {said}"
    if place in _FORMS:
        return f"{place} {_FORMS[place]}"
    return f"{place}: {said[0].lower()}{said[1:]}"


_FORMS = {
    "slack.channel": "is no channel id (C0… or G0…, at the end of the channel's details)",
    "approvers.users": 'is no list of user ids (["U0…"], each from the menu of a profile)',
    "approvers.groups": 'is no list of user group ids (["S0…"], from the address of the group in Slack)',
    "freeze.notice_url": "is no http(s) address",
    "reminders.minutes": f"is not {OFTEN}",
}


def _strangers(names: Iterable[str]) -> Iterator[str]:
    known = tuple(f"{PREFIX}{section}__".upper() for section in Settings.SECTIONS)
    for name in sorted(name.upper() for name in names):
        if name.startswith(PREFIX) and not name.startswith(known):
            yield f"{name} names no section"
