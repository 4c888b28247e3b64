"""Every form of Luong's network is what its equations say, and padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.models.luong import Luong, LuongConfig
from regard.models.search import Writer
from regard.normalizers import sparsemax
from tests.models.luong.small import (
    FORMS,
    LENGTHS,
    SIZES,
    SOME,
    named,
    ragged_batch,
    small_model,
)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def by_the_book(model: Luong, source: Tensor, target: Tensor) -> tuple[Any, Any]:
    """Follow the equations for one sentence in NumPy, with vectors and no batching."""
    c = model.config
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    width = c.hidden_dim

    def cell(stack: str, layer: int, x: Any, h: Any, memory: Any, more: Any = 0.0) -> Any:
        prefix = f"{stack}.layers.{layer}."
        gates = x @ w[prefix + "input_weight"] + h @ w[prefix + "weight"] + w[prefix + "bias"]
        i, f, o, g = np.split(gates + more, 4)
        memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(memory), memory

    def score(h: Any, s: Any, place: int) -> float:
        if c.score == "dot":
            return float(h @ s)
        if c.score == "general":
            return float(h @ w["attention.score.weight"] @ s)
        if c.score == "location":
            return float(w["attention.score.weight"][place] @ h)
        key = w["attention.key.weight"] @ s if c.variant == "paper" else s
        inner = np.tanh(w["attention.score.query_weight"] @ h + key)
        return float(w["attention.score.v"] @ inner)

    def look(h: Any, t: int) -> Any:
        n, reach = len(annotations), c.window
        center, first = float(t), float(t)
        if c.attention == "local_p":
            inner = np.tanh(w["attention.place_hidden.weight"] @ h)
            share = sigmoid(w["attention.place.weight"][0] @ inner)
            center = share * (n if c.variant == "paper" else n - 1)
            first = center if c.variant == "paper" else np.floor(center)
        everywhere = c.attention == "global"
        seen = [s for s in range(n) if everywhere or abs(s - first) <= reach]
        exps = {s: np.exp(score(h, annotations[s], s)) for s in seen}
        weights = np.zeros(n)
        for s in seen:
            weights[s] = exps[s] / sum(exps.values())
            if c.attention == "local_p":
                weights[s] *= np.exp(-((s - center) ** 2) / (2 * (reach / 2) ** 2))
        return weights

    state = [(np.zeros(width), np.zeros(width)) for _ in range(c.layers)]
    annotations = []
    for number in source.tolist():
        x = w["source_embedding.weight"][number]
        for layer in range(c.layers):
            state[layer] = cell("encoder", layer, x, *state[layer])
            x = state[layer][0]
        annotations.append(x)
    found, logits, alignment = np.zeros(width), [], []
    for t, number in enumerate(target.tolist()):
        x = w["target_embedding.weight"][number]
        fed = w["feed.weight"] @ found if c.input_feeding == "on" else 0.0
        for layer in range(c.layers):
            state[layer] = cell("decoder", layer, x, *state[layer], fed if layer == 0 else 0.0)
            x = state[layer][0]
        weights, found = np.zeros(len(annotations)), x
        if c.attention != "none":
            weights = look(x, t)
            context = sum(a * s for a, s in zip(weights, annotations, strict=True))
            found = np.tanh(w["combine.weight"] @ np.concatenate([context, x]))
        logits.append(w["output.weight"] @ found + w["output.bias"])
        alignment.append(weights)
    return torch.tensor(np.stack(logits)), torch.tensor(np.stack(alignment))


@pytest.fixture(params=SOME, ids=named)
def model(request: pytest.FixtureRequest) -> Luong:
    return small_model(**request.param)


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_logits_and_alignment_are_those_of_the_equations(form: dict[str, str]) -> None:
    model = small_model(**form)
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    logits, alignment = model.decode(encoded, target), model.alignment(encoded, target)
    assert torch.equal(model(source, target, lengths), logits)
    for row, length in enumerate(LENGTHS):
        wanted, weights = by_the_book(model, source[row, :length], target[row])
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(alignment[row, :, :length], weights, rtol=0, atol=1e-10)
        assert not alignment[row, :, length:].any()


def test_a_padded_batch_and_its_gradients_are_those_of_its_sentences(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    weights = list(model.parameters())
    logits = model(source, target, lengths)
    batched = torch.autograd.grad(logits.square().sum(), weights)
    alone = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS):
        one = model(source[row : row + 1, :length], target[row : row + 1])
        torch.testing.assert_close(logits[row], one[0], rtol=0, atol=1e-10)
        for total, part in zip(
            alone, torch.autograd.grad(one.square().sum(), weights), strict=True
        ):
            total += part
    for found, wanted in zip(batched, alone, strict=True):
        assert found.isfinite().all()
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_every_weight_is_used(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    model(source, target, lengths).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad.any(), name


def test_what_stands_in_the_padding_is_never_read(model: Luong) -> None:
    (zeros, lengths, target), (others, _, _) = ragged_batch(0), ragged_batch(17)
    assert torch.equal(model(zeros, target, lengths), model(others, target, lengths))


def test_lengths_that_pad_nothing_change_nothing(model: Luong) -> None:
    source, _, target = ragged_batch()
    full = torch.full((len(source),), source.shape[1])
    torch.testing.assert_close(model(source, target, full), model(source, target))


def test_the_order_of_a_batch_is_the_order_of_its_answers(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = model(source[order], target[order], lengths[order])
    torch.testing.assert_close(mixed, model(source, target, lengths)[order])


def test_steps_of_every_beam_equal_teacher_forcing(model: Luong) -> None:
    assert isinstance(model, Writer)
    source, lengths, target = ragged_batch()
    others = torch.stack([target, target.flip(1), target.roll(1, 0)], dim=1)
    encoded = model.encode(source, lengths)
    state, found = model.start(encoded, 3), []
    for column in others.unbind(2):
        logits, state = model.step(encoded, state, column)
        found.append(logits)
    for beam in range(3):
        whole = model(source, others[:, beam], lengths)
        stepped = torch.stack([logits[:, beam] for logits in found], dim=1)
        torch.testing.assert_close(stepped, whole, rtol=0, atol=1e-12)


def test_beams_and_sentences_can_be_taken_elsewhere(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    _, state = model.step(encoded, model.start(encoded, 3), target[:, :3])
    parent, some = torch.tensor([[2, 0]] * len(LENGTHS)), torch.tensor([4, 1])
    moved = model.reorder(state, parent)
    few, left = model.select(encoded, moved, some)
    found, _ = model.step(few, left, target[some, 3:])
    wanted, _ = model.step(encoded, state, target[:, [4, 3, 3]])
    torch.testing.assert_close(found, wanted[some][:, [2, 0]])


def test_a_later_output_does_not_change_an_earlier_one(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    changed = target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % SIZES["target_vocab"]
    before, after = model(source, target, lengths), model(source, changed, lengths)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=1e-14)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_an_empty_sentence_and_an_empty_answer_are_harmless(model: Luong) -> None:
    source, lengths, target = ragged_batch()
    nothing = model(source, target, lengths * torch.tensor([0, 1, 1, 1, 1]))
    assert nothing.isfinite().all()
    torch.testing.assert_close(nothing[1:], model(source, target, lengths)[1:])
    assert model(source, target[:, :0], lengths).shape == (5, 0, 7)
    assert model.alignment(model.encode(source), target[:, :0]).shape == (5, 0, 6)
    assert model(source[:, :0], target).isfinite().all()


def test_dropout_needs_training_and_leaves_what_is_fed_back_whole() -> None:
    model = small_model(dropout=0.5)
    source, lengths, target = ragged_batch()
    assert torch.equal(model(source, target, lengths), model(source, target, lengths))
    model.train()
    assert not torch.equal(model(source, target, lengths), model(source, target, lengths))
    encoded = model.encode(source, lengths)
    _, found = model.follow(encoded, target)
    assert found.all() and not model.dropout(found).all()


def test_another_normalizer_is_used_where_it_can_be() -> None:
    config = LuongConfig(**SIZES)
    model = Luong(config, sparsemax).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=2.0)
    source, lengths, target = ragged_batch()
    weights = model.alignment(model.encode(source, lengths), target)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights[0] == 0).any()
    with pytest.raises(ValueError, match="'local_p' normalizes with a Gaussian"):
        Luong(LuongConfig(**SIZES | {"attention": "local_p"}), sparsemax)


def test_a_source_longer_than_the_location_score_knows_is_refused_with_both_numbers() -> None:
    model = small_model(score="location", longest=4)
    source, lengths, target = ragged_batch()
    with pytest.raises(ValueError, match="a source has 6 tokens, but .* made for longest=4"):
        model(source, target, lengths)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"attention": "none"}, "set input_feeding to 'off'"),
        ({"score": "location", "longest": None}, "set longest to the largest number"),
        ({"window": 0}, "window must be between 1 and"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        LuongConfig(**SIZES | changes)
