"""The environment before `.env` before `cutover.toml`, and every mistake of all of them in one go.

A command names what it needs, so that `cutover freeze-sql` asks for no Slack token. The way back needs the connection
to the source and nothing else: there a mistake of another setting is reported and hinders nothing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from bot.errors import WrongSettings
from bot.home import at_home
from bot.plan.compose import PlanRefused
from bot.settings import words
from bot.settings.forms import Need, missing_or_wrong
from bot.settings.planned import of_no_gate, plan_of
from bot.settings.shape import PREFIX, Settings
from bot.settings.validating import validated


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
    """What was found, what is wrong left out. `told` are the settings that `mistakes` are about, `names` says under
    which other name a setting was given, and `written` are all variables that are set.
    """

    settings: Settings
    mistakes: tuple[str, ...]
    told: tuple[str, ...]
    names: Mapping[str, str]
    written: tuple[str, ...]

    def lacking(self, needs: frozenset[Need]) -> tuple[str, ...]:
        """What is wrong is not missing too; what is missing may be under a name that is hardly another one."""
        lacks = missing_or_wrong(self.settings, needs, self.names)
        return tuple(self._misspelt(mistake) for mistake in lacks if not mistake.startswith(self.told))

    def _misspelt(self, mistake: str) -> str:
        name, _, is_missing = mistake.partition(" ")
        if is_missing != "is missing":
            return mistake
        strangers = [written for written in self.written if written.lower() not in words.variables()]
        near = words.nearest_variable(name, strangers)
        return mistake if near is None else f"{mistake}, and `{near}` is set; did you mean `{name}`?"


def _read(config: Path | None, directory: Path | None) -> _Read:
    here = directory or Path()
    mistakes: list[str] = []
    config = at_home(config) if config is not None else None
    if config is not None and not config.is_file():
        mistakes.append(f"--config names {config.name}, and there is no such file")
    filed, wrong, strangers = _from_toml(config or here / "cutover.toml")
    mistakes.extend(wrong)
    dotenv, wrong = _from_dotenv(here / ".env")
    mistakes.extend(wrong)
    written = {**dotenv, **{name: value for name, value in os.environ.items() if value}}
    given = _Variables(written)()
    strangers.extend(_strangers(written))
    given, names, disagreeing = _by_other_names(given, written)
    mistakes.extend(disagreeing)
    found = validated(_over(given, filed), filed)
    strangers.extend(found.unknown)
    mistakes = [*mistakes, *(unknown.sentence for unknown in strangers), *found.wrong.values()]
    mistakes.extend(_about_the_plan(found.settings))
    told = (*found.wrong, *(unknown.meant for unknown in strangers if unknown.meant is not None))
    return _Read(settings=found.settings, mistakes=tuple(mistakes), told=told, names=names, written=tuple(written))


def _about_the_plan(settings: Settings) -> Sequence[str]:
    try:
        return list(of_no_gate(settings, plan_of(settings)))
    except PlanRefused as refused:
        return refused.mistakes


def _by_other_names(
    given: Mapping[str, Any], written: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """With the values that are under a setting's other name; which they are; and what is wrong with that."""
    by_name = {name.upper(): value for name, value in written.items()}
    whole, names, mistakes = dict(given), {}, []
    for other, name in Settings.OTHER_NAMES.items():
        value = by_name.get(other)
        if not value:
            continue
        if name not in whole:
            whole[name], names[name] = value, other
        elif whole[name] != value:
            mistakes.append(f"{name} and {other} are the same setting and disagree; keep one of them")
    return whole, names, mistakes


def _refuse(mistakes: Sequence[str]) -> None:
    if mistakes:
        raise WrongSettings(tuple(dict.fromkeys(mistakes)))


class _Variables(EnvSettingsSource):
    """Of variables of the environment and of `.env`, by their names as they are written. A value that is no JSON stays
    the text it is, so that its mistake is reported with all the others.
    """

    def __init__(self, written: Mapping[str, str]) -> None:
        self._written = written
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._written.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _from_dotenv(path: Path) -> tuple[dict[str, str], list[str]]:
    """What `.env` gives, each value as it is written: `${…}` may be a piece of a password."""
    if not path.is_file():
        return {}, []
    try:
        with path.open(encoding=_ENCODING) as lines:
            bindings = list(parse_stream(lines))
    except (ValueError, OSError) as error:
        return {}, [f".env cannot be read ({type(error).__name__})"]
    wrong = [f"{path.name} is not valid at line {binding.original.line}" for binding in bindings if binding.error]
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value}, wrong


def _from_toml(toml: Path) -> tuple[dict[str, Any], list[str], list[words.Unknown]]:
    """What the file gives, what is wrong with it as a whole, and what is of no section."""
    if not toml.is_file():
        return {}, [], []
    try:
        found = tomllib.loads(toml.read_text(encoding=_ENCODING))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE_IN_TOML.search(str(error))
        return {}, [f"{toml.name} is not valid TOML{f' {place[0]}' if place else ''}"], []
    except (ValueError, OSError) as error:
        return {}, [f"{toml.name} cannot be read ({type(error).__name__})"], []
    known = {key: value for key, value in found.items() if key in Settings.SECTIONS}
    return known, [], [words.unknown(name) for name in _leaves(found) if name.split(".")[0] not in known]


_ENCODING = "utf-8-sig"
"""An editor may have put a mark before the first letter."""
_PLACE_IN_TOML = re.compile(r"at line \d+, column \d+|at end of document")


def _leaves(found: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The names of keys; of a table that holds none, its own."""
    for key, value in found.items():
        name = f"{before}{key}"
        yield from _leaves(value, f"{name}.") if isinstance(value, dict) and value else [name]


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """Both together, key by key; where both say something, `upper` counts."""
    merged = {**lower, **upper}
    for key in upper.keys() & lower.keys():
        if isinstance(upper[key], dict) and isinstance(lower[key], dict):
            merged[key] = _over(upper[key], lower[key])
    return merged


def _strangers(names: Iterable[str]) -> Iterator[words.Unknown]:
    """Variables that name no section; and those that would be a setting but for their underscores."""
    known = tuple(f"{PREFIX}{section}__".upper() for section in Settings.SECTIONS)
    for name in sorted(name.upper() for name in names):
        if name.startswith(PREFIX):
            if not name.startswith(known) and name.removeprefix(PREFIX).lower() not in Settings.SECTIONS:
                yield words.unknown(name)
        elif name.startswith("CUTOVER_") and words.nearest_variable(name, words.overrides()) is not None:
            yield words.unknown(name)
