"""The convolutional classifier is that of its equations, and padding does not exist for it."""

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.cnn import CNN
from regard.normalizers import hard
from regard.scores import Bilinear
from tests.models.cnn.small import LENGTHS, SUMMARIES, config, ragged_batch, small_model

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


def by_the_book(model: CNN, tokens: list[int]) -> tuple[Matrix, Matrix]:
    """Logits of one text and what each token counts: the equations in NumPy, token by token."""
    p = {name: w.detach().numpy() for name, w in model.state_dict().items()}
    x, n, kind = [p["embedding.weight"][token] for token in tokens], len(tokens), model.config
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
    if kind.summary == "max":
        summary, counts = c.max(0), np.zeros(n)
        for column in np.flatnonzero(summary > 0):
            h, j = kind.widths[column // kind.filters], int(c[:, column].argmax())
            window = [t for t in range(j - (h - 1) // 2, j + h // 2 + 1) if 0 <= t < n]
            counts[window] += 1 / len(window)
        counts = counts / counts.sum()
    else:
        if kind.summary == "mean":
            counts = np.full(n, 1 / n)
        elif kind.summary == "attention":
            keys = np.tanh(c @ p["pool.key.0.weight"].T + p["pool.key.0.bias"])
            counts = softmax(keys @ p["pool.query"][0])
        else:
            counts = softmax(c @ (p["pool.attend.score.weight"].T @ last_state(p, x)))
        summary = counts @ c
    return p["output.weight"] @ summary + p["output.bias"], counts


@pytest.mark.parametrize("summary", SUMMARIES)
def test_logits_and_looks_are_those_of_the_equations(summary: str) -> None:
    model, (source, lengths) = small_model(summary), ragged_batch()
    logits, looks = model(source, lengths).detach(), model.look(source, lengths)
    for row, length in enumerate(LENGTHS):
        wanted, counts = by_the_book(model, source[row, :length].tolist())
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(looks[row, :length], counts, rtol=0, atol=1e-10)
        assert not looks[row, length:].any()


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_padded_batch_and_its_gradients_equal_the_texts_one_by_one(summary: str) -> None:
    model, (source, lengths) = small_model(summary), ragged_batch()
    weights, batched = list(model.parameters()), model(source, lengths)
    found = torch.autograd.grad(batched.square().sum(), weights)
    wanted = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS):
        alone = model(source[row : row + 1, :length])
        torch.testing.assert_close(batched[row], alone[0], rtol=0, atol=1e-10)
        gradients = torch.autograd.grad(alone.square().sum(), weights)
        wanted = [total + part for total, part in zip(wanted, gradients, strict=True)]
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_what_stands_in_the_padding_is_never_read(summary: str) -> None:
    model = small_model(summary)
    with torch.no_grad():
        model.embedding.weight[19] = 1e30
    one, other = ragged_batch(), ragged_batch(filling=19)
    assert torch.equal(model(*one), model(*other))
    assert torch.equal(model.look(*one), model.look(*other))


@pytest.mark.parametrize("summary", SUMMARIES)
def test_the_order_of_the_texts_does_not_matter(summary: str) -> None:
    model, batch, order = small_model(summary), ragged_batch(), torch.tensor([3, 0, 4, 1, 2])
    shuffled = model(*(part[order] for part in batch))
    torch.testing.assert_close(shuffled, model(*batch)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_an_empty_text_gives_finite_answers_and_gradients(summary: str) -> None:
    model, (source, lengths) = small_model(summary), ragged_batch()
    lengths[2] = 0
    model(source, lengths).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert torch.equal(model(source, lengths)[2], model.output.bias)
    assert torch.equal(model(source[:, :0])[0], model.output.bias)
    assert not model.look(source, lengths)[2].any() and model.look(source[:, :0]).shape == (5, 0)


def test_where_no_filter_finds_anything_all_tokens_count_alike() -> None:
    model, (source, lengths) = small_model("max"), ragged_batch()
    with torch.no_grad():
        model.bias.fill_(-1e3)
    for row, length in zip(model.look(source, lengths), LENGTHS, strict=True):
        torch.testing.assert_close(row[:length], torch.full((length,), 1 / length).double())


def test_only_the_guided_attention_asks_what_the_sentence_says_elsewhere() -> None:
    # Beyond the reach of a filter only the sentence vector knows that the first word has changed.
    source = torch.tensor([[4, 5, 6, 7, 8, 9, 10]])
    changed = torch.tensor([[11, 5, 6, 7, 8, 9, 10]])
    for summary in ("attention", "guided"):
        model = small_model(summary)
        (one,), (other,) = model.look(source), model.look(changed)
        same = torch.allclose(one[5] / one[6], other[5] / other[6], rtol=1e-9)
        assert same == (summary == "attention")


def test_other_parts_of_the_attention_are_used() -> None:
    model = CNN(config("guided"), Attend(Bilinear(5, 9), normalizer=hard))
    looks = model.look(*ragged_batch())
    assert ((looks == 0) | (looks == 1)).all() and (looks.sum(1) == 1).all()


def test_words_are_dropped_while_training_only() -> None:
    model, (source, lengths) = small_model("max", word_dropout=0.9), ragged_batch()
    assert torch.equal(model(source, lengths), model(source, lengths))
    model.train()
    assert not torch.equal(model(source, lengths), model(source, lengths))


def test_exchanged_widths_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match="narrowest is 5 and widest 4; exchange them"):
        config("max", narrowest=5)
