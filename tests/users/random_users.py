"""Odd users over two nights, of a seed alone: who they are, what happens to them in between, and who else is in the
target.

What no row of Supabase can be is not made: addresses and numbers are unique there to the letter, and so are accounts of
one provider.
"""

import copy
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import bcrypt

from tests.users.random_changes import CHANGES
from tests.users.random_oddities import ODDITIES
from tests.users.random_people import IN_METADATA, PROVIDERS, Person, Source, has_account, has_address

Body = dict[str, Any]
_SALT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class World:
    """`first` and `second` are the project on two nights, `others` another project whose users were carried into the
    same target before. `before` and `between` are sign-ups in the target, before the first night and after it.
    `passwords` are the plain ones by hash. The target is to `fail_over` some, which no row explains.
    """

    def __init__(self, seed: int, users: int) -> None:
        self.chance = random.Random(seed)
        self.passwords = dict(self._hashed(f"pass{n} wörd") for n in range(24))
        self.never: set[str] = set()
        self.failed_over: Counter[str] = Counter()
        self._n = 0
        self.living = Source("abc")
        self.others = Source("def")
        self.others.people = [self.person() for _ in range(max(12, users // 20))]
        self.living.people = [self.person() for _ in range(users)]
        for n in range(users + users // 4):
            ODDITIES[n % len(ODDITIES)](self, self.anyone())
        self.before = list(self._sign_ups(self.living.people, users // 8))
        self._alike(users // 25)
        self.first = copy.deepcopy(self.living)
        for n in range(users + users // 4):
            CHANGES[n % len(CHANGES)](self)
        self.chance.shuffle(self.living.people)
        self.second = self.living
        had = {person.id: person.row["email"] for person in self.first.people}
        added = [person for person in self.second.people if person.id not in had]
        moved = [person for person in self.second.people if had.get(person.id) not in {None, person.row["email"]}]
        self.between = [*self._sign_ups(added, len(added) // 2), *self._sign_ups(moved, len(moved) // 4)]

    def fails_over(self, body: Any) -> bool:
        """Whether the target is to fail over this request, always."""
        if not isinstance(body, dict) or not isinstance(body.get("server_metadata"), dict):
            return False
        written, name = body.get("client_metadata"), body.get("display_name")
        return (
            body["server_metadata"]["supabase"]["id"] in self.never
            or str(name).startswith("Jinx ")
            or (isinstance(written, dict) and IN_METADATA in written)
        )

    # -- drawing ------------------------------------------------------------------------------------------------------

    def anyone(self, fits: Callable[[Person], Any] = lambda person: True) -> Person:
        """Somebody of whom it holds, and who is not deleted; an ordinary newcomer where it holds of nobody drawn."""
        for _ in range(60):
            person = self.chance.choice(self.living.people)
            if person.row["deleted_at"] is None and fits(person):
                return person
        return self.newcomer()

    def person(self) -> Person:
        """An ordinary one, with a password."""
        self._n += 1
        n = self._n
        return Person(
            {
                "id": str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
                "role": "authenticated",
                "email": f"person{n}@example.com",
                "encrypted_password": self.hash(),
                "email_confirmed_at": self.time(),
                "phone": None,
                "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
                "raw_user_meta_data": {"full_name": f"Person {n}", "n": n},
                "is_super_admin": None,
                "created_at": self.time(),
                "banned_until": None,
                "is_sso_user": False,
                "deleted_at": None,
                "is_anonymous": False,
            }
        )

    def newcomer(self) -> Person:
        self.living.people.append(self.person())
        return self.living.people[-1]

    def time(self) -> str:
        month, day, micros = (self.chance.randrange(1, above) for above in (13, 29, 10**6))
        return f"2024-{month:02}-{day:02}T09:00:00.{micros:06}+00:00"

    def hash(self) -> str:
        return self.chance.choice(list(self.passwords))

    def token(self) -> str:
        return f"{self.chance.getrandbits(48):012x}"

    def _hashed(self, password: str) -> tuple[str, str]:
        salt = "".join(self.chance.choice(_SALT) for _ in range(21)) + self.chance.choice(".Oeu")
        prefix = self.chance.choice(("2a", "2b", "2y"))
        made = bcrypt.hashpw(password.encode(), f"$2b$04${salt}".encode()).decode()
        return f"${prefix}${made[4:]}", password

    def identity(self, person: Person, provider: str, account: Any, **columns: Any) -> None:
        person.identities.append(
            {
                "id": str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
                "user_id": person.id,
                "provider": provider,
                "provider_id": account,
                "identity_data": {"sub": account, "email": person.row["email"]},
                "last_sign_in_at": self.time(),
                "updated_at": self.time(),
                **columns,
            }
        )

    def app(self, person: Person, **columns: Any) -> None:
        secret = "".join(self.chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(32))
        given = {"factor_type": "totp", "status": "verified", "secret": secret, "updated_at": self.time()}
        person.factors.append(
            {"id": self.token(), "user_id": person.id, "last_challenged_at": None, **given, **columns}
        )

    def unused(self, address: str) -> bool:
        return all(address != person.row["email"] for person in self.living.people)

    # -- the target ---------------------------------------------------------------------------------------------------

    def _sign_ups(self, people: list[Person], count: int) -> Iterator[Body]:
        """By the addresses and accounts of some of them."""
        with_accounts = [person for person in people if has_account(person)]
        for n in range(count):
            by_account = n % 4 == 3 and with_accounts
            person = self.chance.choice(with_accounts if by_account else people)
            body: Body = {}
            if by_account:
                account = next(i for i in person.identities if i["provider"] in PROVIDERS and i["provider_id"])
                body["oauth_providers"] = [{"id": account["provider"], "account_id": str(account["provider_id"])}]
            elif person.row["email"] is not None:
                body |= {
                    "primary_email": person.row["email"].strip().lower(),
                    "primary_email_verified": n % 3 == 0,
                    "primary_email_auth_enabled": n % 5 != 4,
                }
            yield {"display_name": f"Stranger {n}", **body}

    def _alike(self, count: int) -> None:
        """People of the other project with addresses and accounts of ours."""
        for n, theirs in enumerate(self.others.people[:count]):
            ours = self.anyone(lambda person: has_account(person) if n % 2 else has_address(person))  # noqa: B023
            if n % 2:
                account = next(i for i in ours.identities if i["provider"] in PROVIDERS)
                self.identity(theirs, account["provider"], account["provider_id"])
            else:
                theirs.row["email"] = ours.row["email"]
