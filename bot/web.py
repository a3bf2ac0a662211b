"""HTTP clients that carry a key: how each is made, and what it means that one cannot be.

A key goes to the address in the settings and nowhere else: no redirect is followed, and the answer that asks for it is
a refusal. What a client takes from the environment (a proxy, certificates) can be anything; where no client can be
made of it, the service is one that cannot be reached, and whatever needs that service alone goes without. This machine
itself is asked without a proxy, as is its right. No more of an answer is read than `LARGEST_ANSWER`, unpacked: what is
larger is no answer.

    client = web.client(Service("the Supabase API", "SUPABASE_URL", unchanged="nothing was changed"), url)
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.errors import ServiceRefused, ServiceUnreachable
from bot.loopback import is_this_machine
from bot.obstacles import UNFORESEEN, Obstacle

LARGEST_ANSWER = 64 << 20
"""Bytes. A page of a thousand users is some megabytes."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Service:
    """Its name as the subject of a sentence, the setting that holds its address, and what is unchanged after it did
    not answer, as a clause. `no_client` and `redirect` are what either is to a check that asks it.
    """

    name: str
    setting: str
    unchanged: str
    no_client: Obstacle = UNFORESEEN
    redirect: Obstacle = UNFORESEEN


class AnswerTooLarge(httpx.TransportError):
    """The rest of it was not read."""


class _Bounded(httpx.AsyncClient):
    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        response = await super().send(request, stream=True, **options)
        if stream:
            return response
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise AnswerTooLarge("", request=request)
        finally:
            await response.aclose()
        # It is unpacked, so that what said how it was packed no longer holds.
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in {"content-encoding", "content-length"}]
        return httpx.Response(
            response.status_code, headers=headers, content=bytes(body), request=request, extensions=response.extensions
        )


class NoClient(ServiceUnreachable):
    """Nothing can be asked with what the environment of this process holds, now or a minute later."""


def client(service: Service, url: str, **options: Any) -> httpx.AsyncClient:
    """A client for requests to `url` that follows no redirect; `options` are httpx's. Contacts nobody.

    Raises NoClient. Its requests raise ServiceRefused at a redirect.
    """

    async def refuse_redirect(response: httpx.Response) -> None:
        if response.is_redirect:
            raise redirected(service, response.status_code)

    with made(service):
        trust_env = not _is_here(url)
        return _Bounded(
            follow_redirects=False,
            trust_env=trust_env,
            verify=certificates(trust_env=trust_env),
            event_hooks={"response": [refuse_redirect]},
            **options,
        )


def certificates(*, trust_env: bool = True) -> ssl.SSLContext:
    """Which authorities a client trusts. They are read once a process: that takes longer than many requests.

    Raises what `made` expects.
    """
    return _read_certificates(*(os.environ.get(name) if trust_env else None for name in _CERTIFICATES))


@cache
def _read_certificates(*named: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=any(named))


@contextmanager
def made(service: Service) -> Iterator[None]:
    """What a library raises while it makes a client becomes NoClient, which names what to look at."""
    try:
        yield
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # The first that is set of a certificate's is the one that is read; of proxies all are.
        culprits = in_environment(*_CERTIFICATES)[:1] if isinstance(error, OSError) else in_environment(*_PROXIES)
        named = " or ".join(culprits) or service.setting
        raise NoClient(
            f"{service.name} could not be reached: no client can be made with what {named} holds "
            f"({type(error).__name__})",
            unchanged=service.unchanged,
            do=f"correct or remove {named}, then try again",
            obstacle=service.no_client,
        ) from error


def redirected(service: Service, status: int) -> ServiceRefused:
    return ServiceRefused(
        f"{service.name} answers with a redirect ({status}), and no key is sent to another address",
        unchanged=service.unchanged,
        do=f"set {service.setting} to the address that the service itself gives, without a redirect",
        obstacle=service.redirect,
    )


def why(error: Exception) -> str:
    """Why no answer came, in brackets behind a sentence, and what of the environment bears on it. `error` is of any
    HTTP library.
    """
    if isinstance(error, AnswerTooLarge):
        return f"its answer is larger than {LARGEST_ANSWER >> 20} MiB"
    chain = list(_chain(error))
    if wrong := [cause for cause in chain if isinstance(cause, ssl.SSLCertVerificationError)]:
        return _certificate_fault(wrong[0])
    told = next((words for cause in chain if (words := _in_words(cause)) is not None), type(error).__name__)
    through = [proxy for proxy in in_environment(*_PROXIES) if proxy.upper() != "NO_PROXY"]
    return f"{told}, with a proxy in {' and '.join(through)}" if through else told


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    if (fault := _CERTIFICATE_FAULTS.get(error.verify_code)) is not None:
        return fault
    bears = in_environment(*_CERTIFICATES)
    return f"its certificate is not trusted{f' with {bears[0]} as set' if bears else ''}"


_CERTIFICATE_FAULTS = {
    9: "its certificate is not yet valid by this machine's clock",
    10: "its certificate has expired",
    62: "its certificate is for another host name",
    64: "its certificate is for another address",
}
"""By OpenSSL's number for it."""


def _in_words(cause: BaseException) -> str | None:
    """What the system or TLS says; None for an error of a library above them, behind which the cause may be."""
    match cause:
        case socket.gaierror():
            return _NO_NAMES if cause.errno == socket.EAI_AGAIN else "its host name is not known"
        case ssl.SSLError():
            return "what answers does not speak TLS" if cause.reason in _NO_TLS else "TLS failed"
        case OSError(errno=int(number)) if number in _SYSTEM:
            return _SYSTEM[number]
        case TimeoutError() | httpx.TimeoutException():
            return "no answer in time"
        case httpx.RemoteProtocolError():
            return "it ended the connection, or does not speak HTTP"
    return None


_NO_NAMES = "no host name can be looked up at the moment"
_NO_TLS = {"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_SYSTEM = {
    errno.ECONNREFUSED: "connection refused",
    errno.ENETUNREACH: "no route to it",
    errno.EHOSTUNREACH: "no route to it",
    errno.EADDRNOTAVAIL: "no route to it",
    errno.ECONNRESET: "it ended the connection",
    errno.EPIPE: "it ended the connection",
    errno.ETIMEDOUT: "no answer in time",
}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what is behind it; of several attempts, what was behind each."""
    seen: set[int] = set()
    left = [error]
    while left:
        one = left.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [one.__cause__ or one.__context__, *getattr(one, "exceptions", ())]


def in_environment(*names: str) -> list[str]:
    """Those of the variables that are set, as they are written; libraries read both cases."""
    return [written for name in names for written in (name, name.lower()) if os.environ.get(written)]


def _is_here(url: str) -> bool:
    return is_this_machine(urlsplit(url).hostname or "")
