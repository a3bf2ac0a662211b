"""The probe of the target: it learns a limiter, and leaves nothing behind."""

import asyncio

import pytest

from bot.errors import ServiceRefused
from bot.stackauth.client.api import StackAuth
from bot.stackauth.probe import users_per_second


@pytest.fixture
def probe(make):
    async def run(service, number=30, concurrency=4):
        async with StackAuth(service.url, make.project, make.key, timeout_seconds=0.5) as client:
            return await users_per_second(
                client, number, concurrency=concurrency, settle_seconds=0.05, report=lambda progress: None
            )

    return run


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_a_pace_is_learnt_and_nobody_is_left(make, probe, generation):
    """Who was there stays; those created cannot be anybody, and go."""
    service = await make.service(generation=generation)
    somebody = service.add_user({"primary_email": "ada@example.com", "server_metadata": {"supabase": {"id": "x"}}})
    seen = []
    service.on_change(lambda event, user: seen.append((event, user.restricted_by_admin, user.primary)))
    assert 1 < await probe(service) < 1_000
    assert list(service.users) == [somebody.id]
    assert seen == [("user.created", True, None)] * 30 + [("user.deleted", True, None)] * 30


@pytest.mark.parametrize(
    "fault",
    [
        "429-html",
        "500-after",
        "drop-before",
        *(pytest.param(fault, marks=pytest.mark.all) for fault in ("500-before", "drop-after", "502-html")),
    ],
)
async def test_whatever_the_service_answers_nobody_is_left(make, probe, fault):
    """A create without an answer too."""
    service = await make.service()
    service.faults.share(fault, 0.2)
    await probe(service)
    assert not service.users


async def test_those_of_a_probe_that_was_killed_go_with_the_next(make, probe):
    """They are known by their mark."""
    service = await make.service()
    service.add_user({"server_metadata": {"supabase": {"probe": 3}}, "restricted_by_admin": True})
    await probe(service, 10)
    assert not service.users


async def test_an_interrupted_probe_cleans_up_behind_itself(make, probe):
    """As when somebody presses Ctrl-C."""
    service = await make.service(latency_seconds=0.02)
    task = asyncio.create_task(probe(service, 500))
    some = asyncio.Event()
    service.on_change(lambda event, user: some.set() if len(service.users) >= 10 else None)
    await some.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not service.users


async def test_a_project_that_refuses_passwords_is_reported(another_night, make, probe):
    """As in the night."""
    service = await make.service(password_enabled=False)
    with pytest.raises(ServiceRefused, match="Password sign-in is off"):
        await probe(service)
    assert not service.users
