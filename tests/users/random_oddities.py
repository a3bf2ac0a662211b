"""What a person may be, each oddity by itself: dealt in turn to persons chosen by chance, so that each meets others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.users.random_people import FEW, IN_METADATA, IN_NAME, NEVER, NOBODY, Nested, Number, Person, Row, has_address

if TYPE_CHECKING:
    from tests.users.random_users import World

Oddity = Callable[["World", Person], None]


def columns(*choices: Row) -> Oddity:
    """One of these, in place of the ordinary."""

    def give(world: World, person: Person) -> None:
        person.row |= copy.deepcopy(world.chance.choice(choices))

    return give


def written(*choices: Row) -> Oddity:
    """One of these, written into the metadata that people write themselves."""

    def give(world: World, person: Person) -> None:
        written_so_far = person.row["raw_user_meta_data"]
        chosen = copy.deepcopy(world.chance.choice(choices))
        person.row["raw_user_meta_data"] = {**(written_so_far if isinstance(written_so_far, dict) else {}), **chosen}

    return give


def address(form: str) -> Oddity:
    def give(world: World, person: Person) -> None:
        person.row["email"] = form.format(world.token())

    return give


def no_password(world: World, person: Person) -> None:
    person.row["encrypted_password"] = world.chance.choice((None, ""))


def unverified(world: World, person: Person) -> None:
    person.row["email_confirmed_at"] = None


def bare(world: World, person: Person) -> None:
    """Neither verified nor with a password."""
    no_password(world, person)
    unverified(world, person)


def phone_only(world: World, person: Person) -> None:
    bare(world, person)
    person.row |= {"email": world.chance.choice((None, "")), "phone": "49" + world.token()}
    if person.row["email"] == "" and not world.unused(""):
        person.row["email"] = None
    world.identity(person, "phone", person.id)


def phone_too(world: World, person: Person) -> None:
    person.row["phone"] = "49" + world.token()


def anonymous(world: World, person: Person) -> None:
    bare(world, person)
    person.row |= {"email": None, "is_anonymous": True, "raw_user_meta_data": {}}
    person.identities.clear()


def sso(world: World, person: Person) -> None:
    no_password(world, person)
    person.row["is_sso_user"] = True
    world.identity(person, f"sso:{world.token()}", person.row["email"])


def odd_hash(world: World, person: Person) -> None:
    plain = world.hash()
    person.row["encrypted_password"] = world.chance.choice(
        (
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
            "$argon2i$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
            "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=cw==$c2FsdA==$aGFzaA==",
            '{"key_id": "k", "value": "AAAA"}',
            "$2x$" + plain[4:],
            "$2$" + plain[4:],
            plain[:-1],
            plain + "\n",
            plain.replace("$04$", "$03$"),
            plain.replace("$04$", "$17$"),
            plain[:-1] + "é",
            "secret",
        )
    )


def twin(world: World, person: Person) -> None:
    """The same address in other letters."""
    other = world.anyone(has_address)
    turned = world.chance.choice((str.swapcase, str.upper, str.title, lambda text: f" {text}"))(other.row["email"])
    if other is not person and world.unused(turned):
        person.row["email"] = turned


def account(*providers: str, **columns: Any) -> Oddity:
    def give(world: World, person: Person) -> None:
        world.identity(person, world.chance.choice(providers), world.token(), **columns)

    return give


def no_account_id(world: World, person: Person) -> None:
    no_password(world, person)
    world.identity(person, "google", world.chance.choice((None, "", "  ")))


def several_accounts(world: World, person: Person) -> None:
    for _ in range(2):
        account("google")(world, person)
    no_password(world, person)


def shared_account(world: World, person: Person) -> None:
    """Supabase knows the provider by two names, Stack Auth by one."""
    other, name = world.anyone(), world.token()
    old, new = world.chance.choice((("linkedin", "linkedin_oidc"), ("twitter", "x")))
    world.identity(person, old, name)
    world.identity(other, new, name)


def odd_identity_data(world: World, person: Person) -> None:
    data = world.chance.choice((None, [], {}, {"email": ""}, {"email": 7}, {"email": "Not An Address"}))
    account("github", "discord", identity_data=data, last_sign_in_at=None)(world, person)


def number_as_id(world: World, person: Person) -> None:
    world.identity(person, "twitch", world.chance.getrandbits(40))


def app(**columns: Any) -> Oddity:
    return lambda world, person: world.app(person, **columns)


def two_apps(world: World, person: Person) -> None:
    for at in (None, world.time()):
        world.app(person, last_challenged_at=at)


def other_factor(world: World, person: Person) -> None:
    world.app(person, factor_type=world.chance.choice(("phone", "webauthn")), secret=None)


def passkey(world: World, person: Person) -> None:
    person.passkeys.append({"user_id": person.id, "credential_id": f"\\x{world.token()}", "public_key": "\\x02"})


def passkey_alone(world: World, person: Person) -> None:
    bare(world, person)
    passkey(world, person)


def failed_over(named: str) -> Oddity:
    """The target fails over some, always: with this in their own metadata, whoever they are, or whatever is sent."""

    def give(world: World, person: Person) -> None:
        if world.failed_over[named] < FEW:
            world.failed_over[named] += 1
            if named == NEVER:
                world.never.add(person.id)
            else:
                person.row["raw_user_meta_data"] = {named: f"Jinx {world.token()}"}

    return give


def everybody_as_they_are(world: World, person: Person) -> None:
    """Some stay ordinary."""


PICTURES = (
    "https://example.com/a.png",
    "http://10.0.0.1:8080/a.png?x=%20#y",
    "HTTPS://EXAMPLE.COM/a.png",
    "ftp://example.com/a.png",
    "//example.com/a.png",
    "/avatars/1.png",
    "javascript:alert(1)",
    "https://example.com/a b.png",
    "https://xn--bcher-kva.example/a.png",
    "https://bücher.example/a.png",
    "https://user:pass@example.com/a.png",
    "https://[::1]/a.png",
    "https://example.com:99999/a.png",
    "https://1.2.3/a.png",
    "https://-a.example/",
    "data:image/svg+xml;base64,AAAA",
    "data:image/png;base64,not base64!",
    "data:text/html;base64,AAAA",
    "https://example.com/" + "a" * 1_000,
    "  https://example.com/padded.png  ",
)
NUMBERS = (
    0.1 + 0.2,
    2.0000000000000004,
    2**53 + 1,
    2**63,
    -(2**64) - 2**12,
    1e308,
    1.7976931348623157e308,
    5e-324,
    -0.0,
    1e21,
    10**400,
    Number("0.12345678901234567890"),
    Number("12345678901234567.5"),
    Number("-1e400"),
    Number("1E-400"),
)

ODDITIES: tuple[Oddity, ...] = (
    everybody_as_they_are,
    no_password,
    unverified,
    bare,
    phone_only,
    phone_too,
    anonymous,
    sso,
    odd_hash,
    twin,
    columns({"email": None}),
    address("Mixed.{}@Example.COM"),
    address("o'brien+{}@localhost"),
    address("trail.{}.@sub-domain.example.com"),
    address("  padded{}@example.com "),
    address("zoë{}@example.com"),
    address("a{}@bücher.example"),
    address("no-at-{}.example.com"),
    address("two@at{}@example.com"),
    address("under{}@_dmarc.example.com"),
    address("{}@-dash.example.com"),
    address('"quoted {}"@example.com'),
    address("long{}@" + "a" * 64 + ".example.com"),
    *[account("google", "github", "apple", "discord", "gitlab", "facebook", "spotify")] * 6,
    account("azure", "bitbucket", "keycloak", "notion", "slack_oidc", "kakao", "custom:acme"),
    account("email"),
    no_account_id,
    several_accounts,
    shared_account,
    odd_identity_data,
    number_as_id,
    app(),
    app(status="unverified"),
    app(secret='{"key_id": "k"}'),
    app(secret=None),
    app(secret="jbswy3dpehpk3pxp"),
    two_apps,
    other_factor,
    passkey,
    passkey_alone,
    columns(
        {"banned_until": "infinity"},
        {"banned_until": "2999-01-01T00:00:00+00:00"},
        {"banned_until": "294276-12-31T23:59:59.999999+00:00"},
    ),
    columns(
        {"banned_until": "2020-01-01T00:00:00+00:00"},
        {"banned_until": "0044-03-15T12:00:00+00:00 BC"},
        {"banned_until": "-infinity"},
    ),
    columns({"deleted_at": "2025-01-01T00:00:00+00:00"}),
    columns({"role": None}, {"role": ""}, {"role": "service_role"}, {"is_super_admin": True}),
    columns({"raw_user_meta_data": None}, {"raw_user_meta_data": []}, {"raw_user_meta_data": "text"}),
    columns({"raw_app_meta_data": None}, {"raw_app_meta_data": {}}, {"raw_app_meta_data": {"roles": ["admin"]}}),
    columns({"raw_app_meta_data": [1]}, {"raw_app_meta_data": {"supabase": {"id": NOBODY}}}),
    columns({"raw_app_meta_data": {"deep": Nested(130), "n": Number("1e999"), "__proto__": 1}}),
    columns({"created_at": None}),
    written(*({"n": number, "in": [{"more": number}]} for number in NUMBERS)),
    written({"__proto__": {"admin": True}}, {"a": [{"__proto__": 1, "b": 2}]}, {"constructor": {"prototype": 1}}),
    written(*({"deep": Nested(levels)} for levels in (98, 99, 100, 123, 124, 130, 3_000))),
    written(*({"avatar_url": picture} for picture in PICTURES)),
    written({"picture": "data:image/png;base64,iVBORw0KGgo="}),
    written({"full_name": "ä" * 300}, {"name": "🦆" * 129, "full_name": ""}, {"display_name": "x" * 257}),
    written({"full_name": 7, "name": " Padded "}, {"full_name": "\u202eevil\u0001<b>"}, {"user_name": "\n"}),
    written({"": "", "long": "x" * 5_000, "list": list(range(200)), "quote'\"\\": None, "ключ": "🦆"}),
    *map(failed_over, (IN_NAME, IN_METADATA, NEVER)),
)
