"""A strict Slack on this machine: the Web API, Socket Mode and HTTP mode, for rehearsals and tests, for nothing else.

Goals
- The bot cannot tell: the same methods, frames, shapes, limits, refusals and bad moods, over real HTTP and a real
  WebSocket.
- It says no. Wrong token, missing scope, unknown argument, too long, too fast, not your message, not a thread: each
  is refused by the name Slack uses. Where Slack's rule is unsure, the stricter reading is taken.
- It is steered from inside the process that started it: people speak, edit and delete; connections break; answers get
  lost. Everything that happened in the channel can be read, followed live and waited for.
- It keeps nothing on disk, so that nobody is tempted to deploy it.

Limitations, or what the real Slack does that this does not
- One workspace, one app, one bot. Channels go by id only: no `#name`, no message to a user id. Of an
  Enterprise Grid there are the shapes that one of its workspaces sees, and no others.
- Only rich_text, section, header, context, divider, actions (buttons), image, table and markdown blocks; no
  attachments, views, ephemeral posts or shortcuts. A `response_url` leads nowhere.
- Only chat.postMessage is rate-limited. Real Slack also limits every other method, apps and whole workspaces.
- Texts are stored as sent, but for what Slack links by itself (`reading`). Real Slack also invents a text for a
  message of blocks alone, and may split a very long code block over two messages.
- A message that nobody could hear of when it was written (no connection) is only in the history; a real delivery that
  failed is tried again for minutes. An event not acknowledged is sent again every `ack_seconds`, three times.
- What Slack says of a disabled user group is not documented; here its members are given as before.
- A deleted parent takes no reply any more, whether it left a tombstone or not: what is posted below it goes to the
  channel. Of real Slack that is known for a parent without one.
- No reactions or links to messages: the bot uses none, and the methods are unknown here. Files are shared at once; real
  Slack takes its time.
- Tickets do not grow old by themselves, and connections are not recycled every few hours unless told to be.
- The limit on the size of metadata and the texts of complaints are guesses; Slack publishes neither.

The rooms: `workspace` is what there is, `shapes` how Slack writes it down, `reading` what it makes of a text and what
people see of it, `limits` what may be posted, `methods` the Web API behind its door in `web`, `uploads` its files,
`scheduled` what it is to post later, `telling` the other direction, by `delivery`, `socket_mode` and `http_mode`,
`interactions` what people do besides writing, `standin` the whole with its switches.
"""

from bot.rehearsal.standins.slack.delivery import Delivery
from bot.rehearsal.standins.slack.methods import DEFAULT_SCOPES
from bot.rehearsal.standins.slack.standin import SlackStandin
from bot.rehearsal.standins.slack.web import RecordedCall
from bot.rehearsal.standins.slack.workspace import Change, Channel, File, Message, Person, Scheduled, Version

__all__ = [
    "DEFAULT_SCOPES",
    "Change",
    "Channel",
    "Delivery",
    "File",
    "Message",
    "Person",
    "RecordedCall",
    "Scheduled",
    "SlackStandin",
    "Version",
]
