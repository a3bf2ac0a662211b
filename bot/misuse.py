"""What was typed wrongly, in our words: typer's exceptions become a sentence, with the nearest word that there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer

from bot.errors import UsageError


def misuse(error: typer.TyperException) -> UsageError | str:
    """The error for whoever typed it; the help itself, as a text, for whoever typed nothing."""
    name = type(error).__name__
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cutover"
    said = error.format_message().rstrip(".").replace("Value error, ", "")
    if name == "NoArgsIsHelpError":
        return error.format_message()
    if name == "NoSuchOption":
        said = _no_option(str(getattr(error, "option_name", "")), path, context)
    elif said.startswith("No such command"):
        word = said.removeprefix("No such command ").split(". Did you mean")[0].strip("'\"")
        said = f"There is no command {word}{_nearest(word, context.command.commands)}"
    return UsageError(said, unchanged="nothing was done", do=f"see `{path} --help`")


def _no_option(option: str, path: str, context: Any) -> str:
    if context.parent is not None and option in _options(context.parent):
        return f"{option} is given before the command: `{context.parent.command_path} {option} {context.info_name}`"
    of_a_command = getattr(context.command, "commands", {}).values()
    if any(option in parameter.opts for command in of_a_command for parameter in command.params):
        return f"{option} is given behind the command: `{path} COMMAND {option}`"
    return f"`{path}` has no option {option}{_nearest(option, _options(context))}"


def _options(context: Any) -> list[str]:
    return [option for parameter in context.command.get_params(context) for option in parameter.opts]


def _nearest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake needs it

    near = get_close_matches(word, list(known), 1, 0.5)
    return f", the nearest is {near[0]}" if near else ""
