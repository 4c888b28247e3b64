"""RNNsearch is the network of the paper, and padding does not exist for it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.models.rnnsearch import RNNsearch
from regard.normalizers import softmax, sparsemax
from regard.scores import Additive, Bilinear
from tests.models.rnnsearch.small import BLIND, CONFIG, LENGTHS, ragged_batch, small_model


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def by_the_book(model: RNNsearch, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Follow the equations of the paper for one sentence in NumPy, with vectors and no batching.

    Equations and names as in the appendix; the reset gate acts before the product.
    """
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}

    def cell(prefix: str, index: int, x: Any, s: Any, cx: Any = 0.0, cc: Any = 0.0) -> Any:
        gates = x @ w[f"{prefix}.gate_input"][index] + w[f"{prefix}.gate_bias"][index, 0] + cx
        r, z = np.split(sigmoid(gates + s @ w[f"{prefix}.gate_weight"][index]), 2)
        inner = x @ w[f"{prefix}.candidate_input"][index] + w[f"{prefix}.candidate_bias"][index, 0]
        proposed = np.tanh(inner + cc + (r * s) @ w[f"{prefix}.candidate_weight"][index])
        return (1 - z) * s + z * proposed

    words = [w["source_embedding.weight"][number] for number in source.tolist()]
    ahead, back, h = [], [], np.zeros(CONFIG.hidden_dim)
    for word in words:
        ahead.append(h := cell("encoder", 0, word, h))
    h = np.zeros_like(h)
    for word in reversed(words):
        back.insert(0, h := cell("encoder", 1, word, h))
    annotations = [np.concatenate(pair) for pair in zip(ahead, back, strict=True)]
    s = np.tanh(w["initial.weight"] @ back[0] + w["initial.bias"])
    logits, weights = [], []
    for number in target.tolist():
        y = w["target_embedding.weight"][number]
        if model.config.attention == "none":
            alpha, context = np.zeros(len(words)), np.concatenate([ahead[-1], back[0]])
        else:
            energies = [
                w["score.v"] @ np.tanh(w["score.query_weight"] @ s + w["key.weight"] @ h)
                for h in annotations
            ]
            alpha = np.exp(energies) / np.exp(energies).sum()
            context = sum(a * h for a, h in zip(alpha, annotations, strict=True))
        t = w["readout.weight"] @ np.concatenate([s, context, y]) + w["readout.bias"]
        t = np.array([t[2 * i : 2 * i + 2].max() for i in range(CONFIG.maxout_dim)])
        logits.append(w["output.weight"] @ t + w["output.bias"])
        weights.append(alpha)
        gates, candidate = (
            w["context_gate.weight"] @ context,
            w["context_candidate.weight"] @ context,
        )
        s = cell("decoder", 0, y, s, gates, candidate)
    return torch.tensor(np.stack(logits)), torch.tensor(np.stack(weights))


@pytest.fixture(params=["search", "none"])
def model(request: pytest.FixtureRequest) -> RNNsearch:
    return small_model(replace(CONFIG, attention=request.param))


def test_logits_and_alignment_are_those_of_the_equations(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    logits, alignment = model.decode(encoded, target), model.alignment(encoded, target)
    for row, length in enumerate(LENGTHS):
        wanted, weights = by_the_book(model, source[row, :length], target[row])
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(alignment[row, :, :length], weights, rtol=0, atol=1e-10)
        assert not alignment[row, :, length:].any()


def test_a_padded_batch_equals_its_sentences_one_by_one(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    batched = model(source, target, lengths)
    for row, length in enumerate(LENGTHS):
        alone = model(source[row : row + 1, :length], target[row : row + 1])
        torch.testing.assert_close(batched[row], alone[0], rtol=0, atol=1e-10)


def test_gradients_of_a_padded_batch_are_the_sum_over_its_sentences(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    weights = list(model.parameters())
    batched = torch.autograd.grad(model(source, target, lengths).square().sum(), weights)
    alone = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS):
        logits = model(source[row : row + 1, :length], target[row : row + 1])
        for total, part in zip(
            alone, torch.autograd.grad(logits.square().sum(), weights), strict=True
        ):
            total += part
    for found, wanted in zip(batched, alone, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_what_stands_in_the_padding_is_never_read(model: RNNsearch) -> None:
    (zeros, lengths, target), (others, _, _) = ragged_batch(0), ragged_batch(17)
    assert torch.equal(model(zeros, target, lengths), model(others, target, lengths))


def test_lengths_that_pad_nothing_change_nothing(model: RNNsearch) -> None:
    source, _, target = ragged_batch()
    full = torch.full((len(source),), source.shape[1])
    torch.testing.assert_close(model(source, target, full), model(source, target))


def test_the_order_of_a_batch_is_the_order_of_its_answers(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = model(source[order], target[order], lengths[order])
    torch.testing.assert_close(mixed, model(source, target, lengths)[order])


def test_a_later_output_does_not_change_an_earlier_one(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    changed = target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % CONFIG.target_vocab
    before, after = model(source, target, lengths), model(source, changed, lengths)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_steps_with_cached_keys_equal_teacher_forcing(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    state, found = encoded.state, []
    for column in target.unbind(1):
        logits, state = model.step(encoded, state, column[:, None])
        found.append(logits)
    whole = model(source, target, lengths)
    torch.testing.assert_close(torch.cat(found, dim=1), whole, rtol=0, atol=1e-12)


def test_beams_are_independent_queries_of_the_same_keys(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    states = torch.randn(len(source), 3, CONFIG.state_dim).double()
    logits, after = model.step(encoded, states, target[:, :3])
    for beam in range(3):
        one = slice(beam, beam + 1)
        alone, alone_after = model.step(encoded, states[:, one], target[:, one])
        torch.testing.assert_close(logits[:, one], alone)
        torch.testing.assert_close(after[:, one], alone_after)


def test_beams_and_sentences_can_be_taken_elsewhere(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    _, state = model.step(encoded, model.start(encoded, 3), target[:, :3])
    parent, some = torch.tensor([[2, 0]] * len(LENGTHS)), torch.tensor([4, 1])
    few, left = model.select(encoded, model.reorder(state, parent), some)
    found, _ = model.step(few, left, target[some, 3:])
    wanted, _ = model.step(encoded, state, target[:, [4, 3, 3]])
    torch.testing.assert_close(found, wanted[some][:, [2, 0]])


@pytest.mark.parametrize("normalizer", [softmax, sparsemax])
@pytest.mark.parametrize(
    "score", [None, Bilinear(CONFIG.state_dim, CONFIG.align_dim), Additive(8, 4, 3)]
)
def test_any_score_and_normalizer_can_be_passed_in(score: object, normalizer: object) -> None:
    model = small_model(score=score, normalizer=normalizer)
    source, lengths, target = ragged_batch()
    encoded = model.encode(source, lengths)
    weights = model.alignment(encoded, target)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    model.decode(encoded, target).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_other_parts_are_really_used() -> None:
    source, lengths, target = ragged_batch()
    one, other = small_model(), small_model(normalizer=sparsemax)
    assert not torch.allclose(one(source, target, lengths), other(source, target, lengths))


def test_every_weight_learns(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    model(source, target, lengths).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_the_alignment_of_nothing_written_is_empty(model: RNNsearch) -> None:
    source, lengths, target = ragged_batch()
    found = model.alignment(model.encode(source, lengths), target[:, :0])
    assert found.shape == (len(source), 0, source.shape[1])


def test_without_attention_all_contexts_are_the_last_states_of_both_directions() -> None:
    model, (source, lengths, target) = small_model(BLIND), ragged_batch()
    encoded = model.encode(source, lengths)
    _, contexts, _ = model.follow(encoded, target)
    for row, length in enumerate(LENGTHS):
        ahead, back = encoded.annotations[row, 0, [length - 1, 0]].chunk(2, -1)
        summary = torch.cat([ahead[0], back[1]])
        torch.testing.assert_close(contexts[row], summary.expand(5, -1))
    with pytest.raises(ValueError, match="attention is 'none'.* leave score out"):
        RNNsearch(BLIND, score=Bilinear(8, 4))
