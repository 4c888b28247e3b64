"""Who is refused, and how: by raw bytes over a socket, as anybody may send them."""

import json
import socket

import pytest

from regard.serving.app import LIMITS, PICTURE
from regard.serving.gate import MB, Limits
from tests.patience import PATIENCE, until
from tests.serving.conftest import QUESTION, Client, Serve, received

QUICK = Limits(header_seconds=0.3, body_seconds=0.3, send_seconds=0.3)


def test_the_page_is_given_with_everything_that_locks_it(client: Client) -> None:
    for path in ("/", "/attention.js"):
        reply = client.get(path)
        assert reply.status == 200 and reply.body
        assert reply.headers["x-content-type-options"] == "nosniff"
        policy = reply.headers["content-security-policy"]
        for part in (
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ):
            assert part in policy
        assert not {"set-cookie", "access-control-allow-origin", "server"} & set(reply.headers)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "localhost:1",
        "127.0.0.1.evil.example:{port}",
        "192.168.1.5:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "",
        "0.0.0.0:{port}",
    ],
)
@pytest.mark.parametrize("path", ["/", "/attention.js", "/nowhere"])
def test_another_host_is_refused_before_any_route(client: Client, host: str, path: str) -> None:
    reply = client.get(path, host=host.format(port=client.port))
    assert reply.status == 403 and "name" in reply.error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_our_own_names_are_served(client: Client, host: str) -> None:
    assert client.get("/", host=f"{host}:{client.port}").status == 200


def test_another_address_is_served_by_its_name_and_with_the_token(serve: Serve) -> None:
    client = serve(host="127.0.0.2")
    ours = f"127.0.0.2:{client.port}"
    assert client.get("/", host=ours).status == 200
    assert client.ask(host=ours).status == 200
    assert client.ask(host=ours, authorization=None).status == 403
    assert client.get("/", host=f"127.0.0.3:{client.port}").status == 403


def test_a_request_without_a_host_is_refused(client: Client) -> None:
    assert client.send(b"GET / HTTP/1.0\r\n\r\n").status == 403
    assert client.send(b"GET / HTTP/1.1\r\n\r\n").status == 400


def test_two_hosts_are_refused(client: Client) -> None:
    ours = f"127.0.0.1:{client.port}"
    reply = client.send(f"GET / HTTP/1.1\r\nhost: {ours}\r\nhost: evil.example\r\n\r\n".encode())
    assert reply.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:{port}"},
        {"origin": "http://localhost:{port}"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_another_site_is_refused(client: Client, headers: dict[str, str]) -> None:
    given = {name: value.format(port=client.port) for name, value in headers.items()}
    reply = client.ask(**given)
    assert reply.status == 403 and "site" in reply.error


def test_our_own_page_is_answered(client: Client) -> None:
    reply = client.ask(origin=f"http://127.0.0.1:{client.port}", sec_fetch_site="same-origin")
    assert reply.status == 200 and reply.lines[-1]["document"]


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer wrong", "Basic a-token", "a-token", "é"])
@pytest.mark.parametrize("path", ["/api/ask", "/api/about", "/api/picture", "/nowhere"])
def test_nobody_asks_without_the_token(client: Client, given: str | None, path: str) -> None:
    reply = client.ask(path, authorization=given)
    assert reply.status == 403 and "token" in reply.error


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_what_is_not_json_is_refused(client: Client, kind: str | None) -> None:
    assert client.ask(content_type=kind).status == 415


def test_no_other_method_is_known(client: Client) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        reply = client.send(client.request(method=method))
        assert reply.status == 405
        assert not any(name.startswith("access-control") for name in reply.headers)
    assert client.get("/api/ask").status == 405
    assert client.ask("/").status == 405


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/a", "/built/attention.js", "//etc"]
)
def test_there_are_no_other_files(client: Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status == 404 and b"regard" not in reply.body


def test_a_body_over_a_megabyte_is_too_large(client: Client) -> None:
    reply = client.send(client.request(content_length=str(MB + 1)))
    assert reply.status == 413 and "1 MB" in reply.error
    padded = json.dumps({"text": "x" * (MB - 12)}).encode()
    assert len(padded) <= MB
    assert client.ask(body=padded).status == 400  # of a text too long, but not too large


def test_a_body_in_chunks_is_counted(client: Client) -> None:
    head = client.request(body=b"", content_length=None, transfer_encoding="chunked")
    chunk = b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"
    reply = client.send(head + chunk + chunk[:200])
    assert reply.status == 413


def test_pictures_have_a_limit_of_their_own(client: Client) -> None:
    most = LIMITS.of(PICTURE)
    assert most > 11 * MB
    reply = client.send(client.request(PICTURE, content_length=str(most + 1)))
    assert reply.status == 413 and f"{most / MB:g} MB" in reply.error


def test_a_slow_head_is_not_waited_for(serve: Serve) -> None:
    client = serve(limits=QUICK)
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE) as found:
        found.sendall(b"GET / HTTP/1.1\r\nhost: ")

        def is_closed() -> bool:
            try:
                found.sendall(b"x")
            except OSError:
                return True
            return False

        until(is_closed)
        assert received(found).status == 0
    assert client.get("/").status == 200


def test_a_client_that_says_nothing_is_not_waited_for(serve: Serve) -> None:
    client = serve(limits=QUICK)
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE) as found:
        assert received(found).status == 0


def test_a_slow_body_is_not_waited_for(serve: Serve) -> None:
    client = serve(limits=QUICK)
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE) as found:
        found.sendall(client.request()[:-3])
        reply = received(found)
    assert reply.status == 408 and "too long" in reply.error
    assert client.ask().status == 200


def test_a_client_that_does_not_read_is_left(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client, size = serve(limits=QUICK), 30_000_000
    monkeypatch.setattr(client.answering, "answer", lambda *_: {"large": "x" * size})
    assert len(client.ask().body) > size
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        found.settimeout(PATIENCE)
        found.connect(("127.0.0.1", client.port))
        found.sendall(client.request())
        assert found.recv(1, socket.MSG_PEEK), "the answer has begun"
        until(lambda: not client.connections())
        assert len(received(found).body) < size
    assert client.get("/").status == 200


def test_each_connection_has_one_request(client: Client) -> None:
    one = client.request("/", b"", "GET", content_length=None)
    reply = client.send(one + one)
    assert reply.headers["connection"] == "close"
    assert reply.body.count(b"<!doctype html>") == 1


def test_heads_and_lines_without_end_are_refused(client: Client) -> None:
    reply = client.send(b"GET / HTTP/1.1\r\nx: " + b"x" * 200_000)
    assert reply.status in (0, 400, 431)
    assert client.get("/").status == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff", b'{"text": NaN}', b"1", b"[]"]
)
def test_what_is_no_question_is_said(client: Client, body: bytes) -> None:
    reply = client.ask(body=body)
    assert reply.status == 400 and reply.error


def test_the_question_is_what_the_others_were_refused_for(client: Client) -> None:
    assert client.ask(body=QUESTION).status == 200
