"""What is asked of every request before anything else looks at it.

A page of another site may send requests to this machine, and give its own name this machine's
address. So the name that was asked for must be ours, whoever asks must be our own page, and it must
know a token that only our own address says.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("regard.serve")
JSON_TYPE = "application/json"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    # So that each connection has one request, and one clock.
    (b"connection", b"close"),
)
MB = 10**6


@dataclass(frozen=True)
class Limits:
    """What a client may take.

    Args:
        body: bytes of a request.
        bodies: of requests to some paths, such as those with a picture.
        header_seconds: until the head of a request is there.
        body_seconds: until its body is there.
        send_seconds: that a client may not read an answer.
    """

    body: int = MB
    bodies: Mapping[str, int] | None = None
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    send_seconds: float = 20.0

    def of(self, path: str) -> int:
        """Bytes of a request to this path."""
        return (self.bodies or {}).get(path, self.body)


@dataclass(frozen=True)
class Refusal(Exception):
    """A request that is not served."""

    status: int
    reason: str


class Gate:
    """Refuses what is not our own page, and what is too large or too slow.

    Args:
        hosts: the names with ports under which this server may be asked.
        token: what each question must know.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str, limits: Limits) -> None:
        self.app, self.hosts, self.token, self.limits = app, hosts, token, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        began = False

        async def sealed(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                given = [each for each in message["headers"] if each[0].lower() != b"server"]
                message = {**message, "headers": [*given, *HEADERS]}
            await send(message)

        try:
            self._look(scope)
            body = b""
            if scope["method"] == "POST":
                body = await self._body(scope, receive)
            await self.app(scope, _replayed(body, receive), sealed)
        except Refusal as refusal:
            LOG.info("refused %s: %s", scope["path"][:80], refusal.reason)
            await _answer(sealed, refusal.status, refusal.reason)
        except Exception:
            LOG.exception("a request failed")
            if not began:
                await _answer(sealed, 500, "the server failed; its log says why")

    def _look(self, scope: Scope) -> None:
        found: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            if key in found and key in ("host", "origin", "authorization", "content-type"):
                raise Refusal(400, f"the request has more than one {key}")
            found[key] = value.decode("latin-1")
        host = found.get("host", "").lower()
        if host not in self.hosts:
            raise Refusal(403, "this server is not asked under that name")
        origin = found.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            raise Refusal(403, "another site may not ask this server")
        if scope["method"] in ("GET", "HEAD"):
            return
        if scope["method"] != "POST":
            raise Refusal(405, "this server answers GET and POST")
        if found.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refusal(403, "another site may not ask this server")
        given = found.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            raise Refusal(403, "the token is missing or another one: open the address again")
        if found.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
            raise Refusal(415, f"a question is {JSON_TYPE}")
        length = found.get("content-length", "0")
        if length.isdigit() and int(length) > self.limits.of(scope["path"]):
            raise self._too_large(scope)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most, chunks, size = self.limits.of(scope["path"]), list[bytes](), 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refusal(400, "the request ended before it was whole")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > most:
                        raise self._too_large(scope)
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, "the request took too long") from None

    def _too_large(self, scope: Scope) -> Refusal:
        most = self.limits.of(scope["path"])
        return Refusal(413, f"a question may have {most / MB:g} MB, and this one has more")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, and after it what else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [
        (b"content-type", JSON_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
