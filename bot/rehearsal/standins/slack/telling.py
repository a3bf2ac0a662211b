"""From what happened in the workspace to what the app gets: which events, by which transport, and which get lost."""

from collections.abc import Callable

from bot.rehearsal.standins.slack import shapes
from bot.rehearsal.standins.slack.delivery import Delivery, Transport
from bot.rehearsal.standins.slack.workspace import Change, Channel, Json, Workspace


class Telling:
    """`transport` is the one that is open now, `scopes` the app's: it gets nothing of what it may not read."""

    def __init__(self, workspace: Workspace, *, transport: Callable[[], Transport], scopes: frozenset[str]) -> None:
        self._workspace = workspace
        self._transport = transport
        self._scopes = scopes
        self._lose = 0
        self._payloads: dict[str, Json] = {}
        workspace.on_change(self._announce)

    def lose_next_events(self, times: int) -> None:
        self._lose += times

    def deliver(self, delivery: Delivery) -> Delivery:
        """Send it for the first time; it goes nowhere when nobody is connected or it is to get lost."""
        transport = self._transport()
        if not transport.open:
            delivery.given_up = True
        elif self._lose and delivery.kind == "events_api":
            self._lose -= 1
        else:
            transport.deliveries.append(delivery)
            transport.send(delivery)
        return delivery

    def redeliver(self, what: str | Delivery) -> Delivery:
        """The event of a message (its ts), under the same event id; or anything that was sent before."""
        delivery = Delivery(self._payloads[what]) if isinstance(what, str) else Delivery(what.payload, what.kind)
        transport = self._transport()
        transport.deliveries.append(delivery)
        transport.send(delivery, attempt=1 if delivery.retries else 0)
        return delivery

    def _announce(self, change: Change) -> None:
        """Tell the app of messages new, edited and deleted, its own too, in channels it is in and may read."""
        channel = self._workspace.channels[change.message.channel]
        if not channel.is_member:
            return
        for event in self._events(change, channel):
            mentions = event["type"] == "app_mention"
            if ("app_mentions:read" if mentions else f"{channel.scope}:history") not in self._scopes:
                continue
            payload = shapes.event_payload(self._workspace, channel, event)
            if change.kind == "posted" and not mentions:
                self._payloads[change.message.ts] = payload
            self.deliver(Delivery(payload))

    def _events(self, change: Change, channel: Channel) -> list[Json]:
        message, before = change.message, change.before
        if change.kind == "posted":
            posted = shapes.posted_event(self._workspace, channel, message)
            mention = shapes.mention_event(self._workspace, channel, message)
            return [posted, mention] if mention else [posted]
        if change.kind == "edited" and before:
            at = self._workspace.new_ts()
            return [shapes.changed_event(self._workspace, channel, before, message, at)]
        if change.kind == "deleted" and before:
            return [shapes.deleted_event(self._workspace, channel, before, message, self._workspace.new_ts())]
        return []
