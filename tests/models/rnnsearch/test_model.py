"""RNNsearch is the network of the paper, and padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.generation.state import rows_of_beams, rows_of_sources, take
from regard.layers import Attend
from regard.masks import Causal
from regard.models.protocols import Translates
from regard.models.rnnsearch import RNNsearch
from regard.normalizers import softmax, sparsemax
from regard.scores import Additive, Bilinear
from tests.models.rnnsearch.small import LENGTHS, SIZES, config, ragged_batch, small_model


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
    ahead, back, h = [], [], np.zeros(SIZES["hidden_dim"])
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
        if model.attend is None:
            alpha, context = np.zeros(len(words)), np.concatenate([ahead[-1], back[0]])
        else:
            energies = [
                w["attend.score.v"]
                @ np.tanh(w["attend.score.query_weight"] @ s + w["key.weight"] @ h)
                for h in annotations
            ]
            alpha = np.exp(energies) / np.exp(energies).sum()
            context = sum(a * h for a, h in zip(alpha, annotations, strict=True))
        t = w["readout.weight"] @ np.concatenate([s, context, y]) + w["readout.bias"]
        t = np.array([t[2 * i : 2 * i + 2].max() for i in range(SIZES["maxout_dim"])])
        logits.append(w["output.weight"] @ t + w["output.bias"])
        weights.append(alpha)
        gates, candidate = (
            w["context_gate.weight"] @ context,
            w["context_candidate.weight"] @ context,
        )
        s = cell("decoder", 0, y, s, gates, candidate)
    return torch.tensor(np.stack(logits)), torch.tensor(np.stack(weights))


@pytest.fixture(params=["search(attention_dim=4)", "none"])
def model(request: pytest.FixtureRequest) -> RNNsearch:
    return small_model(attention=request.param)


def test_logits_and_attention_weights_are_those_of_the_equations(model: RNNsearch) -> None:
    source, target = ragged_batch()
    logits, weights = model(source, target), model.attention_weights(source, target)
    for row, length in enumerate(LENGTHS):
        wanted, shares = by_the_book(model, source.ids[row, :length], target[row])
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[row, :, :length], shares, rtol=0, atol=1e-10)
        assert not weights[row, :, length:].any()


def test_a_later_output_does_not_change_an_earlier_one(model: RNNsearch) -> None:
    source, target = ragged_batch()
    changed = target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % SIZES["target_vocab"]
    before, after = model(source, target), model(source, changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_steps_of_every_beam_equal_teacher_forcing(model: RNNsearch) -> None:
    assert isinstance(model, Translates)
    source, target = ragged_batch()
    others = torch.stack([target, target.flip(1), target.roll(1, 0)], dim=1)
    encoded = model.encode(source)
    state, found = model.start(encoded, 3), []
    for column in others.flatten(0, 1).unbind(1):
        logits, state = model.step(encoded, state, column)
        found.append(logits.unflatten(0, (5, 3)))
    for beam in range(3):
        whole = model(source, others[:, beam])
        stepped = torch.stack([logits[:, beam] for logits in found], dim=1)
        torch.testing.assert_close(stepped, whole, rtol=0, atol=1e-12)


def test_beams_and_sentences_can_be_taken_elsewhere(model: RNNsearch) -> None:
    source, target = ragged_batch()
    encoded = model.encode(source)
    _, state = model.step(encoded, model.start(encoded, 3), target[:, :3].flatten())
    parent, some = torch.tensor([[2, 0]] * len(LENGTHS)), torch.tensor([4, 1])
    left = take(take(state, rows_of_beams(parent, 3)), rows_of_sources(some, 2), some)
    found, _ = model.step(take(encoded, some, some), left, target[some, 3:].flatten())
    wanted, _ = model.step(encoded, state, target[:, [4, 3, 3]].flatten())
    torch.testing.assert_close(
        found.unflatten(0, (2, 2)), wanted.unflatten(0, (5, 3))[some][:, [2, 0]]
    )


@pytest.mark.parametrize("normalizer", [softmax, sparsemax])
@pytest.mark.parametrize("score", ["additive", "general", Additive(5, 4, 3), Bilinear(5, 4)])
def test_any_score_and_normalizer_can_be_named_or_passed_in(score: Any, normalizer: Any) -> None:
    if isinstance(score, str):
        attention = {"score": score, "normalizer": normalizer.__name__, "attention_dim": 4}
        model = small_model(attention={"kind": "search", **attention})
    else:
        model = small_model(Attend(score, normalizer=normalizer))
    source, target = ragged_batch()
    weights = model.attention_weights(source, target)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    model(source, target).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_other_parts_are_really_used() -> None:
    one, other = (
        small_model(),
        small_model(attention="search(normalizer=sparsemax, attention_dim=4)"),
    )
    assert not torch.allclose(one(*ragged_batch()), other(*ragged_batch()))


def test_one_operator_serves_where_it_is_given_and_a_function_makes_another() -> None:
    attend = Attend(Additive(query_dim=5, hidden_dim=4))
    assert small_model(attend).attend is attend
    made = [small_model(lambda: Attend(Bilinear(5, 4))).attend for _ in range(2)]
    assert made[0] is not made[1]


def test_nothing_written_is_harmless(model: RNNsearch) -> None:
    source, target = ragged_batch()
    none = target[:, :0]
    assert model(source, none).shape == (len(source), 0, 7)
    assert model.attention_weights(source, none).shape == (len(source), 0, 6)


def test_without_attention_all_contexts_are_the_last_states_of_both_directions() -> None:
    model, (source, target) = small_model(attention="none"), ragged_batch()
    encoded = model.encode(source)
    _, contexts, _ = model.follow(encoded, target)
    for row, length in enumerate(LENGTHS):
        ahead, back = encoded.values[row, 0, [length - 1, 0]].chunk(2, -1)
        summary = torch.cat([ahead[0], back[1]])
        torch.testing.assert_close(contexts[row], summary.expand(5, -1))


def test_parts_that_nothing_would_use_are_refused() -> None:
    with pytest.raises(ValueError, match="attention is none, so nothing attends: leave attend out"):
        RNNsearch(config(attention="none"), Attend(Bilinear(5, 4)))
    with pytest.raises(ValueError, match="search attention has a mask of its own"):
        small_model(Attend(Additive(5, 4, 3), mask=Causal()))
