"""The memory network is the one of the paper, and padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.models.memory import MemoryNetwork
from regard.models.memory.sentences import times
from tests.models.memory.small import SENTENCES, ragged_batch, small_model

VARIANTS: list[dict[str, Any]] = [
    {},
    {"tying": "layerwise"},
    {"encoding": "bag"},
    {"variant": "official", "max_words": 6},
    {"hops": 1},
    {"attention": "hard"},
]


def by_the_book(
    model: MemoryNetwork, story: list[list[int]], question: list[int], linear: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the equations for one question, word by word; names as in the paper."""
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    config, d = model.config, model.config.embed_dim
    first = len(story) - min(len(story), config.memory_size)

    def embedded(table: np.ndarray, words: list[int]) -> np.ndarray:
        words = [word for word in words if word]
        total = np.zeros(d)
        for j, word in enumerate(words, 1):
            for k in range(1, d + 1):
                weight = 1.0
                if config.encoding == "position" and config.variant == "paper":
                    J = len(words)
                    weight = (1 - j / J) - (k / d) * (1 - 2 * j / J)
                elif config.encoding == "position":
                    J = config.max_words
                    weight = 1 + 4 * (k - (d + 1) / 2) * (j - (J + 1) / 2) / (d * J)
                total[k - 1] += weight * table[word][k - 1]
        return total

    adjacent = config.tying == "adjacent"
    u = embedded(w["memories.0.words"] if adjacent else w["question"], question)
    looks = np.zeros((config.hops, len(story)))
    for hop in range(config.hops):
        a, c = (hop, hop + 1) if adjacent else (0, 1)
        o, scores, values = np.zeros(d), [], []
        for i in range(first, len(story)):
            ago = len(story) - 1 - i
            words, time = w[f"memories.{a}.words"], w[f"memories.{a}.time"]
            scores.append(u @ (embedded(words, story[i]) + time[ago]))
            words, time = w[f"memories.{c}.words"], w[f"memories.{c}.time"]
            values.append(embedded(words, story[i]) + time[ago])
        if scores:
            p = np.exp(np.array(scores) - max(scores))
            p = p / p.sum()
            if config.attention == "hard":
                p = np.eye(len(p))[p.argmax()]
            looks[hop, first:] = p
            for weight, value in zip(scores if linear else p, values, strict=True):
                o += weight * value
        u = (u if adjacent else w["between.weight"] @ u) + o
    return w["output.weight"] @ u, looks


def rows_of(story: torch.Tensor, lengths: torch.Tensor) -> list[list[list[int]]]:
    return [row[:length].tolist() for row, length in zip(story, lengths, strict=True)]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_logits_and_looks_are_those_of_the_equations(changes: dict[str, Any]) -> None:
    model, (story, question, lengths) = small_model(**changes), ragged_batch()
    with torch.no_grad():
        logits, looks = (
            model(story, question, lengths).numpy(),
            model.look(story, question, lengths),
        )
    for row, sentences in enumerate(rows_of(story, lengths)):
        wanted, weights = by_the_book(model, sentences, question[row].tolist())
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(looks[row, :, : len(sentences)], weights, rtol=0, atol=1e-12)
        assert not looks[row, :, len(sentences) :].any()


@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
def test_a_linear_start_leaves_the_softmax_out_until_it_is_over(tying: str) -> None:
    model, (story, question, lengths) = small_model(tying=tying), ragged_batch()
    softened = model(story, question, lengths)
    model.start_linear(10)
    for left in (10, 4):
        assert float(model.linear) == left
        logits = model(story, question, lengths).detach().numpy()
        for row, sentences in enumerate(rows_of(story, lengths)):
            wanted, _ = by_the_book(model, sentences, question[row].tolist(), linear=True)
            np.testing.assert_allclose(logits[row], wanted, rtol=1e-12, atol=1e-12)
        model.learned(6)
    assert float(model.linear) == 0
    assert torch.equal(model(story, question, lengths), softened)


def test_a_hard_attention_starts_soft() -> None:
    batch = ragged_batch()
    model, soft = small_model(attention="hard"), small_model()
    settled = model(*batch)
    model.start_linear(3)
    assert torch.equal(model(*batch), soft(*batch))
    assert model.train().explore(*batch)[1] is None
    model.learned(3)
    assert model.explore(*batch)[1] is not None
    assert torch.equal(model.eval()(*batch), settled)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_a_padded_batch_equals_its_stories_one_by_one(changes: dict[str, Any]) -> None:
    model, (story, question, lengths) = small_model(**changes), ragged_batch()
    batched = model(story, question, lengths)
    weights = list(model.parameters())
    total = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(SENTENCES):
        asked = question[row : row + 1]
        asked = asked[:, asked[0] != 0]
        alone = model(story[row : row + 1, :length], asked)
        torch.testing.assert_close(batched[row], alone[0], rtol=0, atol=1e-12)
        parts = torch.autograd.grad(alone.square().sum(), weights, allow_unused=True)
        for each, part in zip(total, parts, strict=True):
            each += 0 if part is None else part
    found = torch.autograd.grad(batched.square().sum(), weights, allow_unused=True)
    for one, other in zip(found, total, strict=True):
        one = torch.zeros_like(other) if one is None else one
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_what_stands_in_the_padding_is_never_read(changes: dict[str, Any]) -> None:
    model, (story, question, lengths) = small_model(**changes), ragged_batch()
    garbage, _, _ = ragged_batch(filling=13)
    wanted = model(story, question, lengths)
    assert torch.equal(wanted, model(garbage, question, lengths))
    story[0, :2] = 9
    assert torch.equal(wanted, model(story, question, lengths)), "read beyond its memory"
    wanted.square().sum().backward()
    for memory in model.memories[: -1 if model.config.tying == "adjacent" else None]:
        assert not memory.words.grad[0].any()
    with torch.no_grad():
        model.memories[0].words[0] = 1e3
    assert torch.equal(wanted, model(story, question, lengths))


def test_the_order_of_a_batch_is_the_order_of_its_answers() -> None:
    model, (story, question, lengths) = small_model(), ragged_batch()
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = model(story[order], question[order], lengths[order])
    torch.testing.assert_close(mixed, model(story, question, lengths)[order])


def test_the_order_of_sentences_matters_through_their_times_alone() -> None:
    model, (story, question, _) = small_model(), ragged_batch()
    story, question = story[:1, :4], question[:1]
    before, turned = model(story, question), model(story.flip(1), question)
    assert not torch.allclose(before, turned)
    with torch.no_grad():
        for memory in model.memories:
            memory.time.zero_()
    torch.testing.assert_close(model(story, question), model(story.flip(1), question))


def test_the_order_of_words_matters_unless_they_are_a_bag() -> None:
    story, question, lengths = ragged_batch()
    for encoding, same in (("position", False), ("bag", True)):
        model = small_model(encoding=encoding)
        one, other = model(story, question, lengths), model(story, question.flip(1), lengths)
        assert torch.allclose(one[0], other[0]) == same


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_looks_are_weights_of_the_sentences_that_are_remembered(attention: str) -> None:
    model, (story, question, lengths) = small_model(attention=attention), ragged_batch()
    looks = model.look(story, question, lengths)
    assert looks.shape == (len(SENTENCES), 3, max(SENTENCES)) and (looks >= 0).all()
    told = (lengths > 0).double()[:, None].expand(-1, 3)
    torch.testing.assert_close(looks.sum(-1), told)
    assert not looks[0, :, :2].any() and (attention == "soft") == bool((looks[0, :, 2:] > 0).all())


def test_adjacent_tying_shares_the_output_and_layerwise_all_hops() -> None:
    adjacent, layerwise = small_model(), small_model(tying="layerwise")
    assert adjacent.output.weight is adjacent.memories[-1].words
    assert len(adjacent.memories) == 4 and len(layerwise.memories) == 2
    assert sum(p.numel() for p in adjacent.parameters()) == 4 * (17 + 4) * 6
    wanted = 2 * (17 + 4) * 6 + 2 * 17 * 6 + 6 * 6
    assert sum(p.numel() for p in layerwise.parameters()) == wanted


def test_noise_keeps_the_order_and_makes_a_story_longer_by_its_share_at_most() -> None:
    lengths = torch.tensor([30, 1, 0, 7])
    drawn = torch.stack([times(lengths, 30, 0.1) for _ in range(200)])
    for row, (length, gaps) in enumerate([(30, 3), (1, 1), (0, 0), (7, 1)]):
        here = drawn[:, row, :length]
        assert (here.diff(dim=-1) < 0).all() and (here >= 0).all()
        if length:
            assert set(range(length - 1, length + gaps)) >= set(here[:, 0].tolist())
            assert here[:, 0].max() == length + gaps - 1
        assert not drawn[:, row, length:].any()
    plain = times(lengths, 30)
    assert torch.equal(plain[3, :7], torch.arange(6, -1, -1))


def test_noise_is_of_training_alone_and_repeats_with_the_seed() -> None:
    model, (story, question, lengths) = small_model(noise=0.5), ragged_batch()
    at_rest = model(story, question, lengths)
    assert torch.equal(at_rest, small_model(noise=0.0)(story, question, lengths))
    model.train()
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(model(story, question, lengths))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert all(logits.isfinite().all() for logits in found)


def test_a_hard_attention_draws_while_it_learns_and_chooses_when_it_answers() -> None:
    story, question, lengths = ragged_batch()
    model = small_model(attention="hard")
    assert model.explore(story, question, lengths)[1] is None
    model.train()
    logits, choice = model.explore(story, question, lengths)
    assert choice is not None and model.reinforce is not None
    assert (choice.log_prob[lengths > 1] < 0).all() and (choice.entropy[lengths > 1] > 0).all()
    assert (choice.log_prob[lengths < 2] == 0).all() and (choice.entropy[lengths < 2] == 0).all()
    assert not torch.equal(logits, model.explore(story, question, lengths)[0])
    choice.log_prob.sum().backward()
    assert model.memories[0].words.grad.isfinite().all() and model.memories[0].words.grad.any()


def test_a_straight_through_hard_attention_has_a_gradient_and_no_choice() -> None:
    story, question, lengths = ragged_batch()
    model = small_model(attention="hard", estimator="gumbel", hops=1).train()
    assert model.reinforce is None
    logits, choice = model.explore(story, question, lengths)
    assert choice is None
    logits.square().sum().backward()
    assert model.memories[0].time.grad.any()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
