"""A server on a free port with a network behind it, and a client that writes bytes."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from regard.data.encoding.vocabulary import Vocabulary
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.run.asked_network import OpenNetwork, of_predictor
from regard.serving.answering import Answering
from regard.serving.app import LIMITS
from regard.serving.gate import Limits
from regard.serving.server import listening
from regard.tasks.dates.coder import DateCoder
from regard.tasks.dates.predictor import DateReader
from tests.patience import PATIENCE, until

TOKEN = "a-token"  # noqa: S105
QUESTION = {"text": "<en> 3 May 2026"}


@dataclass(frozen=True)
class Reply:
    """What came back of a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.decode().splitlines()]

    @property
    def error(self) -> str:
        return str(self.lines[0]["error"])


@dataclass(frozen=True)
class Client:
    """Asks a server, with everything that it wants to know unless a header says otherwise."""

    port: int
    answering: Answering
    address: str
    connections: Callable[[], int]
    """How many the server has now."""

    def send(self, content: bytes, timeout: float = PATIENCE) -> Reply:
        """What these bytes are answered with; status 0 where the connection is just closed."""
        with socket.create_connection((self.address, self.port), timeout=timeout) as found:
            found.sendall(content)
            return received(found)

    def ask(self, path: str = "/api/ask", body: Any = QUESTION, **headers: str | None) -> Reply:
        return self.send(self.request(path, body, "POST", **headers))

    def request(
        self,
        path: str = "/api/ask",
        body: Any = QUESTION,
        method: str = "POST",
        **headers: str | None,
    ) -> bytes:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        known: dict[str, str | None] = {
            "host": f"127.0.0.1:{self.port}",
            "authorization": f"Bearer {TOKEN}",
            "content_type": "application/json",
            "content_length": str(len(content)),
            **headers,
        }
        lines = [f"{n.replace('_', '-')}: {v}" for n, v in known.items() if v is not None]
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines])
        return head.encode("latin-1") + b"\r\n\r\n" + content

    def get(self, path: str, host: str | None = None) -> Reply:
        nothing = {"content_length": None, "content_type": None, "authorization": None}
        named = {} if host is None else {"host": host}
        return self.send(self.request(path, b"", "GET", **nothing, **named))


def received(found: socket.socket, *parts: bytes) -> Reply:
    """All that comes until the other side closes, behind what has come before."""
    parts = [*parts]
    try:
        while part := found.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    content = b"".join(parts)
    if not content:
        return Reply(0, {}, b"")
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Reply(int(first.split()[1]), headers, body)


def unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        count = int(size, 16)
        whole, body = whole + rest[:count], rest[count + 2 :]
        if not count:
            break
    return whole


def reader() -> DateReader:
    """A network that reads dates badly."""
    torch.manual_seed(0)
    letters = [chr(c) for c in range(32, 127)]
    source = Vocabulary.build(["<en>", "<fr>", *letters])
    target = Vocabulary.build("0123456789-")
    sizes: Any = {"source_vocab": len(source), "target_vocab": len(target)}
    model = RNNsearch(RNNsearchConfig(**sizes, embed_dim=6, hidden_dim=8, maxout_dim=6)).eval()
    return DateReader(model, DateCoder(source, target))


def answering(network: OpenNetwork) -> Answering:
    """The answers of a network that is in no folder."""
    made = Answering.__new__(Answering)
    made.name, made.network, made.examples = "dates", network, ("<en> 3 May 2026", "<fr> 3 mai")
    return made


Serve = Callable[..., Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which end with the test."""
    running = []

    def started(
        network: OpenNetwork | None = None, limits: Limits = LIMITS, host: str = "127.0.0.1"
    ) -> Client:
        if network is None:
            known = reader()
            network = OpenNetwork(lambda given: of_predictor(known, given), languages=("en", "fr"))
        answers = answering(network)
        served = listening(answers, host, limits=limits, token=lambda: TOKEN)
        thread = threading.Thread(target=served.run, daemon=True)
        thread.start()
        until(lambda: served.server.started)
        running.append((served, thread))
        open_ones = served.server.server_state.connections
        return Client(served.socket.getsockname()[1], answers, host, lambda: len(open_ones))

    yield started
    for served, thread in running:
        served.server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve()


__all__ = ["Path", "replace"]
