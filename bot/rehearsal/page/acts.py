"""What a page may ask for: every act with its form. What is no act, or has a field too many, is refused before anything
is done.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

_Text = Annotated[str, Field(min_length=1, max_length=4_000)]
_Ts = Annotated[str, Field(pattern=r"^\d{1,12}\.\d{6}$")]
_Sql = Annotated[str, Field(min_length=1, max_length=1_000_000)]

CommandName = Literal["status", "doctor", "practice", "verify", "thaw", "freeze-sql", "freeze-sql --thaw"]


class _Act(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Say(_Act):
    """In the channel, or in the thread of this message. Text that begins with `/cutover` is a slash command."""

    act: Literal["say"]
    who: str
    text: _Text
    thread: _Ts | None = None


class Press(_Act):
    act: Literal["press"]
    who: str
    ts: _Ts
    action: str


class Edit(_Act):
    """A person changes a message of their own."""

    act: Literal["edit"]
    ts: _Ts
    text: _Text


class Delete(_Act):
    act: Literal["delete"]
    ts: _Ts


class OpenFile(_Act):
    """A file that was shared in the channel."""

    act: Literal["open-file"]
    id: str


class RunSql(_Act):
    """In a session of its own, or in the one that was left open under this number."""

    act: Literal["sql"]
    sql: _Sql
    session: int | None = None


class WriteByApi(_Act):
    act: Literal["api-write"]


class OpenSession(_Act):
    act: Literal["open-session"]


class CloseSession(_Act):
    act: Literal["close-session"]
    session: int


class Notice(_Act):
    act: Literal["notice"]
    on: bool


class SignIn(_Act):
    act: Literal["sign-in"]
    at: Literal["supabase", "stack-auth"]
    email: _Text
    password: _Text


class SignUpEarly(_Act):
    """Two customers sign up in Stack Auth by themselves."""

    act: Literal["sign-up-early"]


class TurnFault(_Act):
    act: Literal["fault"]
    name: str
    on: bool


class StrikeFault(_Act):
    act: Literal["strike"]
    name: str


class Kill(_Act):
    act: Literal["kill"]


class Start(_Act):
    """Of a bot that has ended by itself; `new` opens another run."""

    act: Literal["start"]
    new: bool


class Command(_Act):
    act: Literal["command"]
    name: CommandName


class WriteReport(_Act):
    act: Literal["report"]


Act = (
    Say
    | Press
    | Edit
    | Delete
    | OpenFile
    | RunSql
    | WriteByApi
    | OpenSession
    | CloseSession
    | Notice
    | SignIn
    | SignUpEarly
    | TurnFault
    | StrikeFault
    | Kill
    | Start
    | Command
    | WriteReport
)
ACT: TypeAdapter[Act] = TypeAdapter(Annotated[Act, Field(discriminator="act")])
