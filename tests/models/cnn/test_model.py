"""The convolutional classifier is that of its equations, and padding does not exist for it."""

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.cnn import CNNClassifier
from regard.normalizers import hard
from regard.scores import Bilinear
from regard.sequences import Sequences
from tests.models.cnn.small import (
    ATTENTION,
    GUIDED,
    LENGTHS,
    MAX,
    POOLINGS,
    config,
    ragged_batch,
    small_model,
)

Matrix = np.ndarray


def softmax(scores: Matrix) -> Matrix:
    return np.exp(scores) / np.exp(scores).sum()


def last_state(p: dict[str, Matrix], x: list[Matrix]) -> Matrix:
    """What an LSTM knows at the end."""
    h = c = np.zeros(len(p["guide.layers.0.weight"]))
    for word in x:
        gates = word @ p["guide.layers.0.input_weight"] + p["guide.layers.0.bias"]
        i, f, o, g = np.split(gates + h @ p["guide.layers.0.weight"], 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    return h


def by_the_book(model: CNNClassifier, tokens: list[int]) -> tuple[Matrix, Matrix]:
    """Logits of one text and what each token counts: the equations in NumPy, token by token."""
    p = {name: w.detach().numpy() for name, w in model.state_dict().items()}
    x, n, kind = [p["embedding.weight"][token] for token in tokens], len(tokens), model.config
    pooling = kind.pooling.tag
    c = np.zeros((n, 0))
    for number, h in enumerate(kind.widths):
        found = np.zeros((n, kind.filters))
        for j in range(n):
            for tap in range(h):
                place = j - (h - 1) // 2 + tap
                if 0 <= place < n:
                    found[j] += p[f"filters.{number}"][:, :, tap] @ x[place]
        c = np.concatenate([c, found], axis=1)
    c = np.maximum(c + p["bias"], 0)
    if pooling == "max":
        pooled, counts = c.max(0), np.zeros(n)
        for column in np.flatnonzero(pooled > 0):
            h, j = kind.widths[column // kind.filters], int(c[:, column].argmax())
            window = [t for t in range(j - (h - 1) // 2, j + h // 2 + 1) if 0 <= t < n]
            counts[window] += 1 / len(window)
        counts = counts / counts.sum()
    else:
        if pooling == "mean":
            counts = np.full(n, 1 / n)
        elif pooling == "attention":
            keys = np.tanh(c @ p["pool.key.0.weight"].T + p["pool.key.0.bias"])
            counts = softmax(keys @ p["pool.query"][0])
        else:
            counts = softmax(c @ (p["pool.attend.score.weight"].T @ last_state(p, x)))
        pooled = counts @ c
    return p["output.weight"] @ pooled + p["output.bias"], counts


@pytest.mark.parametrize("pooling", POOLINGS)
def test_logits_and_weights_are_those_of_the_equations(pooling: str) -> None:
    model, batch = small_model(pooling), ragged_batch()
    logits, weights = model(batch).detach(), model.attention_weights(batch)
    for row, length in enumerate(LENGTHS):
        wanted, counts = by_the_book(model, batch.ids[row, :length].tolist())
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(weights[row, :length], counts, rtol=0, atol=1e-10)
        assert not weights[row, length:].any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_an_empty_text_gives_finite_answers_and_gradients(pooling: str) -> None:
    model, batch = small_model(pooling), ragged_batch()
    batch = Sequences(batch.ids, batch.counts.index_fill(0, torch.tensor([2]), 0))
    nothing = Sequences(batch.ids[:, :0])
    model(batch).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert torch.equal(model(batch)[2], model.output.bias)
    assert torch.equal(model(nothing)[0], model.output.bias)
    assert not model.attention_weights(batch)[2].any()
    assert model.attention_weights(nothing).shape == (5, 0)


def test_where_no_filter_finds_anything_all_tokens_count_alike() -> None:
    model = small_model(MAX)
    with torch.no_grad():
        model.bias.fill_(-1e3)
    for row, length in zip(model.attention_weights(ragged_batch()), LENGTHS, strict=True):
        torch.testing.assert_close(row[:length], torch.full((length,), 1 / length).double())


def test_only_the_guided_attention_asks_what_the_sentence_says_elsewhere() -> None:
    # Beyond the reach of a filter only the sentence vector knows that the first word has changed.
    source = Sequences.of([[4, 5, 6, 7, 8, 9, 10]])
    changed = Sequences.of([[11, 5, 6, 7, 8, 9, 10]])
    for pooling in (ATTENTION, GUIDED):
        model = small_model(pooling)
        (one,), (other,) = model.attention_weights(source), model.attention_weights(changed)
        same = torch.allclose(one[5] / one[6], other[5] / other[6], rtol=1e-9)
        assert same == (pooling == ATTENTION)


def test_other_parts_of_the_attention_are_used() -> None:
    model = CNNClassifier(config(GUIDED), Attend(Bilinear(5, 9), normalizer=hard))
    weights = model.attention_weights(ragged_batch())
    assert ((weights == 0) | (weights == 1)).all() and (weights.sum(1) == 1).all()
    assert model.config.pooling.normalizer == "hard" and model.config.pooling.score == "general"


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_parts_are_refused_where_nothing_attends(pooling: str) -> None:
    with pytest.raises(ValueError, match=f"pooling is {pooling}, so nothing attends: leave attend"):
        CNNClassifier(config(pooling), Attend())


def test_words_are_dropped_while_training_only() -> None:
    model, batch = small_model(MAX, word_dropout=0.9), ragged_batch()
    assert torch.equal(model(batch), model(batch))
    model.train()
    assert not torch.equal(model(batch), model(batch))


def test_filters_without_a_width_are_refused() -> None:
    with pytest.raises(ValueError, match="widths holds 0 widths, not at least 1"):
        config(MAX, widths=())
