"""The ear in the run's channel: a socket where the settings give an app-level token, and HTTP otherwise."""

from __future__ import annotations

from collections.abc import Callable

from bot.conductor import Conductor
from bot.edges.services import Services
from bot.plan import inputs as say
from bot.settings import Settings, secret
from bot.slack.calls import Identity
from bot.slack.inbound.http_mode import HttpListener
from bot.slack.inbound.listener import Listener, SocketListener


def listener(
    settings: Settings, edges: Services, identity: Identity, conductor: Conductor, reconnected: Callable[[], None]
) -> Listener:
    """What it hears goes to the conductor. Contacts nobody until it is started."""
    channel = conductor.run.opened.channel

    def deleted(ts: str) -> None:
        conductor.dispatch(say.ReportDeletion(ts=ts))

    if settings.slack_app_token is not None:
        return SocketListener(
            identity,
            client=edges.slack,
            channel=channel,
            run_id=conductor.run.run_id,
            app_token=secret(settings.slack_app_token),
            api_url=settings.slack_api_url,
            heard=conductor.dispatch,
            deleted=deleted,
            reconnected=reconnected,
            second_instance=lambda count: conductor.dispatch(say.ReportSecondInstance(connections=count)),
            failed=conductor.fail,
        )
    assert settings.port is not None
    return HttpListener(
        identity,
        channel=channel,
        run_id=conductor.run.run_id,
        signing_secret=secret(settings.slack_signing_secret),
        port=settings.port,
        api_url=settings.slack_api_url,
        heard=conductor.dispatch,
        deleted=deleted,
        reconnected=reconnected,
    )
