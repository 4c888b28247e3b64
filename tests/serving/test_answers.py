"""What is asked is answered as `view` answers it, heads are taken out, and two are enough."""

import base64
import io
import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.models.transformer import Transformer, TransformerConfig
from regard.run.asked_network import AskedNetwork, OpenNetwork
from regard.run.training import Options
from regard.run.viewing import view, view_of
from regard.sequences import Sequences
from regard.serving import app
from regard.serving.answering import Answering
from regard.serving.question import question_of
from regard.serving.worker import LOG
from tests.patience import PATIENCE, until
from tests.serving.conftest import Client, Serve, received

TEXT = "<en> 3 May 2026"


def encoder() -> OpenNetwork:
    """A Transformer of two layers and two heads whose answer depends on its heads."""
    torch.manual_seed(0)
    sizes: Any = {"source_vocab": 20, "target_vocab": 9, "joint_vocab": False, "tied": "none"}
    model = Transformer(TransformerConfig(**sizes, layers=2, embed_dim=8, num_heads=2, ff_dim=8))
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))

    def ask(given: Any) -> AskedNetwork:
        source = Sequences.of([[4 + ord(letter) % 16 for letter in given]])
        target = torch.tensor([[2]])
        with torch.no_grad():
            best = str(int(model(source, target)[0, -1].argmax()))
        return AskedNetwork(model, (source, target), (tuple(given), ("<s>",)), answer=best)

    return OpenNetwork(ask)


def test_about_says_what_may_be_asked(client: Client) -> None:
    (found,) = client.ask("/api/about", {}).lines
    texts = ["<en> 3 May 2026", "<fr> 3 mai"]
    assert found == {
        "name": "dates", "takes": "text", "languages": ["en", "fr"], "examples": texts,
    }  # fmt: skip


def test_an_answer_is_what_view_gives(client: Client) -> None:
    asked = client.answering.network.ask(TEXT)
    known = view_of(asked, "dates").document()
    found = client.ask(body={"text": TEXT}).lines[-1]
    assert found["answer"] == asked.answer
    assert found["letters"] == list(asked.outputs)
    assert found["document"]["about"].pop("title") == TEXT
    assert found["document"] == json.loads(json.dumps(known.head))
    assert found["blocks"] == list(known.blocks)


def test_a_run_is_served_as_it_is_viewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    quiet = Options(progress=False)
    regard.train("films.csv", model="transformer_classifier", steps=1, out="run", options=quiet)
    answers = Answering("run")
    assert set(answers.about()["examples"]) <= {"a good film", "a bad film"}
    assert answers.examples
    found = answers.answer(question_of({"text": "a good film"}, False), lambda *_: None)
    known = view("run", "a good film")
    assert found["answer"] == known.about.answer
    assert found["letters"] == [known.about.answer], "a label is not written letter by letter"
    assert found["blocks"] == list(known.document().blocks)


def test_chosen_layers_alone_are_sent(serve: Serve) -> None:
    client = serve(encoder())
    every = client.ask(body={"text": "abc"}).lines[-1]["document"]["layers"]
    some = client.ask(body={"text": "abc", "layers": [1]}).lines[-1]["document"]["layers"]
    assert len(every) > 2 and [each["name"] for each in some] == [every[1]["name"]]
    reply = client.ask(body={"text": "abc", "layers": [99]})
    assert reply.status == 400 and "asks for 99" in reply.error


def test_a_head_is_taken_out_and_comes_back(serve: Serve) -> None:
    client = serve(encoder())
    whole = client.ask(body={"text": "abc"}).lines[-1]
    layer = whole["document"]["layers"][0]
    gone = {"layer": layer["name"], "head": 1, "of": layer["heads"]}
    found = client.ask(body={"text": "abc", "without": gone}).lines[-1]
    assert found["before"] == whole["answer"] and found["change"] > 1e-4
    # What stands above the head sees something else, and itself is what it was.
    assert found["document"]["layers"] != whole["document"]["layers"]
    again = client.ask(body={"text": "abc"}).lines[-1]
    assert again == whole


def test_the_change_is_that_of_the_definition(serve: Serve) -> None:
    network = encoder()
    client = serve(network)
    asked = network.ask("abc")
    name = view_of(asked, "x").maps[0].name
    with torch.no_grad():
        one = asked()
        with regard.explain.ablated(asked.model, {name: [0]}, of=2):
            other = asked()
    turn = 1 - torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=-1).mean()
    gone = {"layer": name, "head": 0, "of": 2}
    found = client.ask(body={"text": "abc", "without": gone}).lines[-1]
    assert found["change"] == pytest.approx(float(turn), rel=1e-4)


def test_every_head_has_its_effect_and_its_progress(serve: Serve) -> None:
    client = serve(encoder())
    *progress, found = client.ask(body={"text": "abc", "effects": True}).lines
    effects = found["document"]["effects"]["values"]
    layers = found["document"]["layers"]
    assert [len(row) for row in effects] == [2] * len(layers)
    for row, layer in zip(effects[:2], layers, strict=False):
        for head, value in enumerate(row):
            gone = {"layer": layer["name"], "head": head, "of": 2}
            alone = client.ask(body={"text": "abc", "without": gone}).lines[-1]
            assert value == pytest.approx(alone["change"], abs=2e-6)
    total = sum(layer["heads"] for layer in layers)
    assert [each["progress"] for each in progress] == [[n, total] for n in range(total)]


def test_a_head_of_a_network_that_is_its_own_module_is_found(client: Client) -> None:
    layer = client.ask().lines[-1]["document"]["layers"][0]
    gone = {"layer": layer["name"], "head": 0, "of": 1}
    assert client.ask(body={"text": TEXT, "without": gone}).lines[-1]["change"] > 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": ""}, "type one"),
        ({"text": 3}, "type one"),
        ({"picture": "aGk="}, "no 'picture'"),
        ({"text": TEXT, "path": "/etc/passwd"}, "no 'path'"),
        ({"text": "3 May"}, "tag of its language"),
        ({"text": TEXT, "layers": "0"}, "list of numbers"),
        ({"text": TEXT, "layers": [True]}, "list of numbers"),
        ({"text": TEXT, "layers": []}, "list of numbers"),
        ({"text": TEXT, "without": {"layer": "x"}}, "taken out"),
        ({"text": TEXT, "without": {"layer": "x", "head": 2, "of": 2}}, "taken out"),
        ({"text": TEXT, "without": {"layer": "nowhere", "head": 0, "of": 2}}, "nowhere"),
        (
            {"text": TEXT, "effects": True, "without": {"layer": "x", "head": 0, "of": 1}},
            "leave one",
        ),
    ],
)
def test_what_cannot_be_asked_is_said(client: Client, body: Any, said: str) -> None:
    reply = client.ask(body=body)
    assert reply.status == 400 and said in reply.error and len(reply.lines) == 1


def test_a_failure_has_no_trace(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = io.StringIO()
    monkeypatch.setattr(LOG, "handlers", [logging.StreamHandler(kept)])

    def fails(_: Any) -> AskedNetwork:
        raise AssertionError("secret")

    client = serve(OpenNetwork(fails))
    reply = client.ask()
    assert (
        reply.status == 500 and reply.error == "the server could not answer this; its log says why"
    )
    assert b"secret" not in reply.body and b"Traceback" not in reply.body
    assert "secret" in kept.getvalue()
    assert client.get("/").status == 200


def test_two_are_answered_and_a_third_comes_again(serve: Serve) -> None:
    network, go = encoder(), threading.Event()

    def slow(given: Any) -> AskedNetwork:
        assert go.wait(PATIENCE)
        return network.ask(given)

    client = serve(OpenNetwork(slow))
    request = client.request(body={"text": "abc"})
    address = ("127.0.0.1", client.port)
    with (
        socket.create_connection(address, timeout=PATIENCE) as one,
        socket.create_connection(address, timeout=PATIENCE) as other,
    ):
        for each in (one, other):
            each.sendall(request)
            # Who waits is told, so that it is known that the question was taken.
            assert each.recv(12) == b"HTTP/1.1 200"
        third = client.ask(body={"text": "abc"})
        assert third.status == 429 and "2 questions" in third.error
        assert client.get("/").status == 200
        go.set()
        for each in (one, other):
            rest = b""
            while part := each.recv(65536):
                rest += part
            assert b'"document"' in rest
    assert client.ask(body={"text": "abc"}).status == 200


def test_a_question_whose_client_went_away_does_not_keep_its_place(serve: Serve) -> None:
    client = serve(encoder())
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", client.port)) as found:
            found.sendall(client.request(body={"text": "abc"}))
        until(lambda: client.ask(body={"text": "abc"}).status == 200)


def test_who_waits_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    network, go, told = encoder(), threading.Event(), b""

    def slow(given: Any) -> AskedNetwork:
        assert go.wait(PATIENCE)
        return network.ask(given)

    monkeypatch.setattr(app, "SOON", 0.05)
    client = serve(OpenNetwork(slow))
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE) as found:
        found.sendall(client.request(body={"text": "abc"}))
        while told.count(b"progress") < 3:
            told += found.recv(4096)
        go.set()
        reply = received(found, told)
    *waiting, answer = reply.lines
    assert reply.status == 200 and len(waiting) >= 3
    assert all(each == {"progress": [0, 0]} for each in waiting)
    assert answer["document"]


def test_pictures_come_as_bytes_and_never_as_paths(serve: Serve, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    seen: list[Any] = []
    network = encoder()

    def ask(given: Any) -> AskedNetwork:
        seen.append(given)
        return network.ask("abc")

    client = serve(OpenNetwork(ask, of_pictures=True))
    file = io.BytesIO()
    image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, "PNG")
    content = base64.b64encode(file.getvalue()).decode()
    assert client.ask("/api/picture", {"picture": content}).status == 200
    assert seen == [file.getvalue()]
    path = str(tmp_path / "secret.png")
    for body in ({"text": path}, {"picture": path}, {"picture": None}, {"picture": "é"}):
        assert client.ask("/api/picture", body).status == 400
    assert len(seen) == 1
