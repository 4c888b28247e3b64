"""A server on this machine alone, until Ctrl-C."""

import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from regard.errors import UsageError
from regard.serving.answering import Answering
from regard.serving.app import LIMITS, application
from regard.serving.connection import impatient
from regard.serving.gate import Limits

LOOPBACK = "127.0.0.1"
OURS = (LOOPBACK, "localhost", "[::1]")
EVERYWHERE = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - named to be refused
MOST_CONNECTIONS = 64


@dataclass(frozen=True, eq=False)
class Served:
    """A server that listens but does not answer yet: `run` does, until it is interrupted.

    Args:
        address: what a browser opens, the token behind the `#`, which no browser sends.
    """

    address: str
    server: uvicorn.Server
    socket: socket.socket

    def run(self) -> None:
        """Answer, until Ctrl-C, which is raised again as `KeyboardInterrupt`."""
        self.server.run(sockets=[self.socket])


def listening(
    answering: Answering,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    limits: Limits = LIMITS,
    token: Callable[[], str] = secrets.token_urlsafe,
) -> Served:
    """Bind a socket and put the network behind it.

    Args:
        host: the address to listen at, which is one of the names that it may be asked under.
        port: 0 takes one that is free.

    Raises `UsageError` for an address that is all addresses, and `OSError` for one that is taken.
    """
    if host in EVERYWHERE:
        raise UsageError(
            f"--host {host!r} is every address of this machine, and a request must name the one it "
            "means: give that one, such as --host 192.168.1.5"
        )
    found = _bound(host, port)
    bound = found.getsockname()[1]
    name = f"[{host}]" if ":" in host else host.lower()
    hosts = {f"{each}:{bound}" for each in (*OURS, name)}
    if bound == 80:  # which browsers leave out
        hosts |= {*OURS, name}
    word = token()
    config = uvicorn.Config(
        application(answering, frozenset(hosts), word, limits),
        http=impatient(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return Served(f"http://{name}:{bound}/#token={word}", uvicorn.Server(config), found)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        # Who comes before the server is ready waits, and is not refused.
        found.listen(MOST_CONNECTIONS)
    except OSError as error:
        found.close()
        raise OSError(f"{host}:{port} cannot be listened at: {error.strerror or error}") from None
    return found
