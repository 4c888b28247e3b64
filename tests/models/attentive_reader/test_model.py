"""The attentive reader is its formula."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.masks import SlidingWindow
from regard.models.attentive_reader import AttentiveReader, AttentiveReaderConfig
from regard.normalizers import sparsemax
from regard.scores import Cosine
from regard.sequences import Sequences
from tests.models.lstm.by_the_book import Array, run

SIZES: dict[str, Any] = {
    **{"vocab": 20, "embed_dim": 4, "hidden_dim": 3, "dropout": 0.0},
    **{"alignment": "align(attention_dim=6)", "pooling": "attention(attention_dim=6)"},
}
PASSAGES = [[4, 8, 5, 6, 9, 8], [7], [10, 4, 11]]
QUESTIONS = [[5, 8], [7, 9, 10, 6], [13]]


def small_reader(attend: Attend | None = None, **choices: Any) -> AttentiveReader:
    torch.manual_seed(0)
    model = AttentiveReader(AttentiveReaderConfig.from_entries(SIZES | choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.8)
    return model.double().eval()


def batch() -> tuple[Sequences, Sequences]:
    return Sequences.of(PASSAGES), Sequences.of(QUESTIONS)


def softmax(scores: list[float]) -> Array:
    shares = np.exp(np.array(scores))
    return shares / shares.sum()


def both_ways(w: dict[str, Array], name: str, config: Any, inputs: list[Array]) -> list[Array]:
    """The states of a recurrent layer in one or two directions."""
    cells = {n.removeprefix(name + "."): each for n, each in w.items() if n.startswith(name)}
    for number in range(config.layers):
        ways = [run(cells, config.cell, f"l{number}", inputs)]
        if config.bidirectional:
            ways.append(run(cells, config.cell, f"l{number}_reverse", inputs[::-1])[::-1])
        inputs = [np.concatenate(states) for states in zip(*ways, strict=True)]
    return inputs


def pointed(
    model: AttentiveReader, passage: list[int], question: list[int]
) -> tuple[Array, Array, Array]:
    """Logits of both pointers, the alignment, and how much each word of the question counts."""
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    config = model.config
    told, asked = ([w["embedding.weight"][word] for word in side] for side in (passage, question))
    inputs, aligned = [], np.zeros((len(passage), len(question)))
    hidden = w.get("compared.weight")
    for i, x in enumerate(told):
        known = [x]
        if hidden is not None:
            one = np.maximum(hidden @ x, 0)
            aligned[i] = softmax([one @ np.maximum(hidden @ y, 0) for y in asked])
            known.append(sum(a * y for a, y in zip(aligned[i], asked, strict=True)))
        if config.matching:
            known.append(np.array([float(passage[i] in question)]))
        inputs.append(np.concatenate(known))
    p = both_ways(w, "passage", config, inputs)
    q = both_ways(w, "question", config, asked)
    if config.pooling.tag == "mean":
        counted = np.full(len(q), 1 / len(q))
    else:
        v, c, u = (w[f"pool.{name}"] for name in ("key.0.weight", "key.0.bias", "query"))
        counted = softmax([u[0] @ np.tanh(v @ h + c) for h in q])
    wanted = sum(b * h for b, h in zip(counted, q, strict=True))
    first, last = np.split(w["pointers.weight"], 2)
    logits = [
        [z, *(h @ (way @ wanted) for h in p)]
        for z, way in zip(w["no_answer"], (first, last), strict=True)
    ]
    return np.array(logits), aligned, counted


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"cell": "gru", "layers": 2},
        {"alignment": "none", "bidirectional": False},
        {"pooling": "mean", "matching": False},
    ],
)
def test_logits_and_weights_are_those_of_the_equations(choices: dict[str, Any]) -> None:
    model, (passage, question) = small_reader(**choices), batch()
    logits = model(passage, question).detach()
    aligned, counted = model.attention_weights(passage, question), model.question_weights(question)
    for row, (one, other) in enumerate(zip(PASSAGES, QUESTIONS, strict=True)):
        wanted, weights, shares = pointed(model, one, other)
        n, m = len(one), len(other)
        np.testing.assert_allclose(logits[row, :, : n + 1], wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(aligned[row, :n, :m], weights, rtol=0, atol=1e-10)
        np.testing.assert_allclose(counted[row, :m], shares, rtol=0, atol=1e-10)
        assert not logits[row, :, n + 1 :].any() and not counted[row, m:].any()


def test_parts_can_be_given_or_named_and_alignment_takes_no_mask() -> None:
    given = small_reader(Attend(Cosine(), mask=SlidingWindow(0, 0), normalizer=sparsemax))
    parts = "score=cosine, normalizer=sparsemax, attention_dim=6"
    named = small_reader(
        alignment=f"align({parts})", pooling=f"attention(mask='sliding_window(0, 0)', {parts})"
    )
    assert named.config == given.config
    named.load_state_dict(given.state_dict())
    assert torch.equal(named(*batch()), given(*batch()))


def test_parts_are_refused_where_nothing_attends() -> None:
    with pytest.raises(ValueError, match="neither alignment nor pooling attends: leave attend out"):
        small_reader(Attend(), alignment="none", pooling="mean")


def test_an_empty_question_or_passage_leaves_finite_scores_and_gradients() -> None:
    model, empty = small_reader(), Sequences(torch.zeros(3, 0, dtype=torch.long))
    passage, question = batch()
    assert model(empty, question).shape == (3, 2, 1)
    logits = model(passage, empty)
    assert not logits[:, :, 1:].any() and logits.isfinite().all()
    logits.sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in model.parameters())
