"""Who may ask the page for what: checks before any request is answered, and headers on every answer."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Guard", "allowed_hosts", "is_loopback"]

Scope = MutableMapping[str, Any]

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)


def is_loopback(host: str) -> bool:
    """Tell whether an address reaches this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, port: int) -> set[str]:
    """List the values of the Host header under which the page may be asked for.

    A page elsewhere whose name is made to point to this machine (DNS rebinding) has another one.

    Examples
    --------
    >>> sorted(allowed_hosts("127.0.0.1", 8000))
    ['127.0.0.1:8000', '[::1]:8000', 'localhost:8000']
    """
    names = {"localhost", "127.0.0.1", "[::1]"}
    if not is_loopback(host):
        names |= {host, socket.gethostname(), socket.getfqdn()}
        names |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    return {f"{name}:{port}" for name in names}


class Guard:
    """ASGI middleware: only known hosts, only who has the secret, writes only from the page itself.

    Parameters
    ----------
    app : ASGI application
    token : str
        The secret in the address; it becomes a cookie at the first visit.
    csrf : str
        A second one, that the page sends back with everything that changes something.
    hosts : iterable of str
        Of :func:`allowed_hosts`.
    cookie : str
        Its name.
    """

    def __init__(self, app: Any, *, token: str, csrf: str, hosts: Iterable[str], cookie: str) -> None:
        self.app = app
        self._token = token
        self._csrf = csrf
        self._hosts = {host.lower() for host in hosts}
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        if scope["method"] == "GET" and scope["path"] == "/" and self._given(scope):
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                more = [*_HEADERS, (b"content-security-policy", POLICY.encode())]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return 400, "This page is served under another name; open the address that the command printed."
        if not (self._given(scope) or self._known(headers)):
            return 403, "Open the whole address that the command printed: it has a secret in it."
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get("origin")
            if origin is not None and origin.lower() != f"http://{host}":
                return 403, "Requests from other pages are refused."
            if headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return 403, "Requests from other pages are refused."
            if not hmac.compare_digest(headers.get("x-csrf-token", "").encode(), self._csrf.encode()):
                return 403, "The page is out of date: load it again."
        return None

    def _given(self, scope: Scope) -> bool:
        found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return scope["path"] == "/" and hmac.compare_digest(found.encode(), self._token.encode())

    def _known(self, headers: dict[str, str]) -> bool:
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and hmac.compare_digest(value.encode(), self._token.encode()):
                return True
        return False


async def _answer(send: Any, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    start = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS, *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": text.encode()})
