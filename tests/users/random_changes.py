"""What happens to people between two nights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.users.random_oddities import (
    NUMBERS,
    ODDITIES,
    Oddity,
    account,
    address,
    app,
    columns,
    failed_over,
    no_password,
    odd_hash,
    passkey,
    phone_too,
    sso,
    twin,
    two_apps,
    unverified,
    written,
)
from tests.users.random_people import (
    IN_NAME,
    PROVIDERS,
    Nested,
    Person,
    Row,
    has_account,
    has_address,
    has_one_account,
    is_plain,
)

if TYPE_CHECKING:
    from tests.users.random_users import World

Change = Callable[["World"], None]


def to(oddity: Oddity, fits: Callable[[Person], Any] = lambda person: True) -> Change:
    """Somebody becomes what a person may be."""
    return lambda world: oddity(world, world.anyone(fits))


def signs_up(*oddities: Oddity) -> Change:
    def change(world: World) -> None:
        person = world.newcomer()
        for oddity in oddities:
            oddity(world, person)

    return change


def signs_up_oddly(world: World) -> None:
    person = world.newcomer()
    for oddity in world.chance.sample(ODDITIES, 3):
        oddity(world, person)


def new_password(world: World, person: Person) -> None:
    person.row["encrypted_password"] = world.hash()


def new_address(world: World, person: Person) -> None:
    person.row["email"] = f"new{world.token()}@example.com"


def other_letters(world: World, person: Person) -> None:
    turned = person.row["email"].swapcase()
    if world.unused(turned):
        person.row["email"] = turned


def confirms(world: World, person: Person) -> None:
    person.row["email_confirmed_at"] = world.time()


def swap(world: World) -> None:
    one, other = world.anyone(has_address), world.anyone(has_address)
    one.row["email"], other.row["email"] = other.row["email"], one.row["email"]


def moves_an_address(world: World) -> None:
    """To somebody who had another one, or none, or to a newcomer."""
    giver = world.anyone(is_plain)
    taker = world.chance.choice((world.anyone, world.newcomer))()
    given, giver.row["email"] = giver.row["email"], world.chance.choice((None, f"free{world.token()}@example.com"))
    taker.row |= {"email": given, "email_confirmed_at": world.time()}


def goes_and_comes_back(world: World) -> None:
    """Deleted, and signed up anew with the same address."""
    gone = world.anyone(is_plain)
    world.living.people.remove(gone)
    world.newcomer().row["email"] = gone.row["email"]


def goes_softly_and_comes_back(world: World) -> None:
    """As Supabase does it: the row stays, and its address is made another."""
    gone = world.anyone(is_plain)
    world.newcomer().row["email"] = gone.row["email"]
    gone.row |= {"deleted_at": world.time(), "email": world.token(), "encrypted_password": ""}
    gone.identities.clear()


def is_deleted(world: World) -> None:
    world.living.people.remove(world.anyone())


def unlinks(world: World, person: Person) -> None:
    if person.identities:
        person.identities.pop(world.chance.randrange(len(person.identities)))


def moves_an_account(world: World) -> None:
    giver = world.anyone(has_account)
    taker = world.chance.choice((world.anyone, world.newcomer))()
    for row in [row for row in giver.identities if row["provider"] in PROVIDERS][:1]:
        giver.identities.remove(row)
        taker.identities.append(row | {"user_id": taker.id})


def rewritten(data: Row) -> Oddity:
    """As a sign-in at the provider rewrites it."""

    def give(world: World, person: Person) -> None:
        for row in person.identities:
            before = row["identity_data"] if isinstance(row["identity_data"], dict) else {}
            row |= {"identity_data": {**before, **data}, "updated_at": world.time()}

    return give


def no_factors(world: World, person: Person) -> None:
    person.factors.clear()


def becomes_somebody(world: World, person: Person) -> None:
    """An anonymous user gives an address."""
    person.row |= {"is_anonymous": False, "email": f"was-anonymous{world.token()}@example.com"}
    new_password(world, person)
    confirms(world, person)


def is_back(world: World) -> None:
    """Somebody who was deleted softly is there again."""
    gone = [person for person in world.living.people if person.row["deleted_at"] is not None]
    if gone:
        world.chance.choice(gone).row["deleted_at"] = None


CHANGES: tuple[Change, ...] = (
    signs_up(),
    signs_up(account("google", "github")),
    signs_up_oddly,
    signs_up_oddly,
    to(new_password, is_plain),
    to(new_password, lambda person: person.row["phone"] and not person.row["email"]),
    to(new_password, lambda person: not person.row["encrypted_password"]),
    to(no_password, is_plain),
    to(odd_hash, is_plain),
    to(new_address, is_plain),
    to(new_address, has_account),
    to(other_letters, has_address),
    to(columns({"email": None}), is_plain),
    to(address("no-at-any-more-{}"), is_plain),
    to(twin, has_address),
    to(unverified, is_plain),
    to(confirms, lambda person: not person.row["email_confirmed_at"]),
    swap,
    moves_an_address,
    goes_and_comes_back,
    goes_softly_and_comes_back,
    is_deleted,
    to(columns({"deleted_at": "2026-01-15T00:00:00+00:00"})),
    to(columns({"deleted_at": "2026-01-15T00:00:00+00:00"}), has_account),
    is_back,
    to(unlinks, has_one_account),
    to(account("google", "github", "gitlab")),
    to(account("google"), has_account),
    moves_an_account,
    to(rewritten({"full_name": "Renamed"}), has_account),
    to(rewritten({"email": "rewritten@example.com"}), has_one_account),
    to(rewritten({"email": None}), has_one_account),
    to(phone_too),
    to(columns({"phone": None}), lambda person: person.row["phone"]),
    to(columns({"banned_until": "infinity"})),
    to(columns({"banned_until": None}), lambda person: person.row["banned_until"]),
    to(becomes_somebody, lambda person: person.row["is_anonymous"]),
    to(app()),
    to(no_factors, lambda person: person.factors),
    to(two_apps),
    to(passkey),
    to(written({"full_name": "Renamed"}, {"avatar_url": "https://example.com/new.png"})),
    to(written(*({"n": number} for number in NUMBERS))),
    to(written({"__proto__": 1}, {"deep": Nested(124)}, {"deep": Nested(3_000)})),
    to(written({"avatar_url": None, "picture": None, "full_name": None})),
    to(columns({"raw_user_meta_data": None}, {"raw_user_meta_data": {}})),
    to(columns({"raw_app_meta_data": {"roles": ["none"]}}, {"raw_app_meta_data": None})),
    to(columns({"role": "service_role"}, {"role": "authenticated"})),
    to(sso, is_plain),
    to(failed_over(IN_NAME)),
)
