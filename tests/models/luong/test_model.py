"""Every form of Luong's network is what its equations say, and padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.generation.state import rows_of_beams, rows_of_sources, take
from regard.layers import Attend
from regard.models.luong import Luong, LuongConfig
from regard.models.protocols import Translates
from regard.normalizers import LearnedEntmax, sparsemax
from regard.score_mods import SoftCap
from regard.scores import Bilinear, LuongConcat
from tests.models.luong.small import FORMS, LENGTHS, SIZES, SOME, config, ragged_batch, small_model


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def by_the_book(model: Luong, source: Tensor, target: Tensor) -> tuple[Any, Any]:
    """Follow the equations for one sentence in NumPy, with vectors and no batching."""
    c, where = model.config, model.config.attention
    kind, variant = where.tag, getattr(where, "variant", "paper")
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    width = c.hidden_dim

    def cell(stack: str, layer: int, x: Any, h: Any, memory: Any, more: Any = 0.0) -> Any:
        prefix = f"{stack}.layers.{layer}."
        gates = x @ w[prefix + "input_weight"] + h @ w[prefix + "weight"] + w[prefix + "bias"]
        i, f, o, g = np.split(gates + more, 4)
        memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(memory), memory

    def score(h: Any, s: Any, place: int) -> float:
        if where.score == "dot":
            return float(h @ s)
        if where.score == "general":
            return float(h @ w["attention.attend.score.weight"] @ s)
        if where.score == "location":
            return float(w["attention.attend.score.weight"][place] @ h)
        key = w["attention.key.weight"] @ s if where.score == "luong_concat" else s
        inner = np.tanh(w["attention.attend.score.query_weight"] @ h + key)
        return float(w["attention.attend.score.v"] @ inner)

    def look(h: Any, t: int) -> Any:
        n, reach = len(annotations), getattr(where, "window", 0)
        center, first = float(t), float(t)
        if kind == "local_p":
            inner = np.tanh(w["attention.place_hidden.weight"] @ h)
            share = sigmoid(w["attention.place.weight"][0] @ inner)
            center = share * (n if variant == "paper" else n - 1)
            first = center if variant == "paper" else np.floor(center)
        everywhere = kind == "global"
        seen = [s for s in range(n) if everywhere or abs(s - first) <= reach]
        exps = {s: np.exp(score(h, annotations[s], s)) for s in seen}
        weights = np.zeros(n)
        for s in seen:
            weights[s] = exps[s] / sum(exps.values())
            if kind == "local_p":
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
        fed = w["feed.weight"] @ found if c.input_feeding else 0.0
        for layer in range(c.layers):
            state[layer] = cell("decoder", layer, x, *state[layer], fed if layer == 0 else 0.0)
            x = state[layer][0]
        weights, found = np.zeros(len(annotations)), x
        if kind != "none":
            weights = look(x, t)
            context = sum(a * s for a, s in zip(weights, annotations, strict=True))
            found = np.tanh(w["combine.weight"] @ np.concatenate([context, x]))
        logits.append(w["output.weight"] @ found + w["output.bias"])
        alignment.append(weights)
    return torch.tensor(np.stack(logits)), torch.tensor(np.stack(alignment))


@pytest.fixture(params=SOME)
def model(request: pytest.FixtureRequest) -> Luong:
    return small_model(request.param)


@pytest.mark.parametrize("form", FORMS)
def test_logits_and_attention_weights_are_those_of_the_equations(form: str) -> None:
    model = small_model(form)
    source, target = ragged_batch()
    logits, weights = model(source, target), model.attention_weights(source, target)
    for row, length in enumerate(LENGTHS):
        wanted, shares = by_the_book(model, source.ids[row, :length], target[row])
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[row, :, :length], shares, rtol=0, atol=1e-10)
        assert not weights[row, :, length:].any()


def test_steps_of_every_beam_equal_teacher_forcing(model: Luong) -> None:
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


def test_beams_and_sentences_can_be_taken_elsewhere(model: Luong) -> None:
    source, target = ragged_batch()
    encoded = model.encode(source)
    _, state = model.step(encoded, model.start(encoded, 3), target[:, :3].flatten())
    parent, some = torch.tensor([[2, 0]] * len(LENGTHS)), torch.tensor([4, 1])
    left = take(take(state, rows_of_beams(parent, 3)), rows_of_sources(some, 2), some)
    found, _ = model.step(take(encoded, some, some), left, target[some, 3:].flatten())
    wanted, _ = model.step(encoded, state, target[:, [4, 3, 3]].flatten())
    wanted = wanted.unflatten(0, (5, 3))[some][:, [2, 0]]
    torch.testing.assert_close(found.unflatten(0, (2, 2)), wanted)


def test_a_normalizer_of_one_head_serves_any_number_of_beams() -> None:
    attend = Attend(Bilinear(5, 5), normalizer=LearnedEntmax(num_heads=1))
    model, (source, target) = small_model(attend=attend), ragged_batch()
    encoded = model.encode(source)
    one, _ = model.step(encoded, model.start(encoded, 1), target[:, 0])
    three, _ = model.step(encoded, model.start(encoded, 3), target[:, 0].repeat_interleave(3))
    torch.testing.assert_close(three.unflatten(0, (5, 3)), one[:, None].expand(-1, 3, -1))


def test_a_later_output_does_not_change_an_earlier_one(model: Luong) -> None:
    source, target = ragged_batch()
    changed = target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % SIZES["target_vocab"]
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=1e-14)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_an_empty_answer_is_harmless(model: Luong) -> None:
    source, target = ragged_batch()
    assert model(source, target[:, :0]).shape == (5, 0, 7)
    assert model.attention_weights(source, target[:, :0]).shape == (5, 0, 6)


def test_dropout_needs_training_and_leaves_what_is_fed_back_whole() -> None:
    model = small_model(dropout=0.5)
    source, target = ragged_batch()
    assert torch.equal(model(source, target), model(source, target))
    model.train()
    assert not torch.equal(model(source, target), model(source, target))
    _, found = model.follow(model.encode(source), target)
    assert found.all() and not model.dropout(found).all()


def test_another_normalizer_is_used_where_it_can_be() -> None:
    model = small_model("global(normalizer=sparsemax)")
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=2.0)
    weights = model.attention_weights(*ragged_batch())
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights[0] == 0).any()


def test_the_paper_concat_is_that_of_the_score_itself() -> None:
    """What is computed once for each sentence is the half of W that only knows the annotation."""
    model = small_model("global(score=luong_concat)")
    score = LuongConcat(5, 5, 5).double()
    other = small_model(attend=Attend(score))
    other.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        halves = (model.attention.attend.score.query_weight, model.attention.key.weight)
        score.weight.copy_(torch.cat(halves, dim=1))
        score.v.copy_(model.attention.attend.score.v)
    torch.testing.assert_close(other(*ragged_batch()), model(*ragged_batch()))


@pytest.mark.parametrize(
    ("form", "attend", "why"),
    [
        ("none", Attend(), "attention is none, so nothing attends: leave attend out"),
        ("local_p", Attend(normalizer=sparsemax), "local_p attention has a normalizer of its own"),
        ("local_p", Attend(dropout=0.5), "local_p attention has a dropout of its own"),
        ("global", Attend(score_mod=SoftCap(9.0)), "global attention has a score_mod of its own"),
    ],
)
def test_parts_that_nothing_would_use_are_refused(form: str, attend: Attend, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Luong(config(form), attend)


def test_a_source_longer_than_the_location_score_knows_is_refused_with_both_numbers() -> None:
    model = small_model("global(score=location)", max_source_length=4)
    with pytest.raises(ValueError, match="Location has weights for 4 keys, but key has 6"):
        model(*ragged_batch())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"attention": "global(score=location)", "max_source_length": None},
            "set it to the largest number of source tokens",
        ),
        ({"attention": "local_m(window=0)"}, "window must be at least 1"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        LuongConfig.from_entries(SIZES | changes)
