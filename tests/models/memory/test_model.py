"""The memory network is the one of the paper, and padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.memory import (
    HardReading,
    MemoryNetwork,
    OfficialPositionEncoding,
    PositionEncoding,
)
from regard.models.memory.sentences import sentence_ages, story_grid
from regard.normalizers import sparsemax
from regard.scores import Bilinear, Dot
from regard.sequences import Sequences
from tests.models.memory.small import (
    COUNTS,
    alone,
    asked,
    config,
    flat,
    ragged_batch,
    small_model,
    told,
)

VARIANTS: list[dict[str, Any]] = [
    {},
    {"tying": "layerwise"},
    {"encoding": "bag"},
    {"encoding": "official_position(max_words=6)"},
    {"hops": 1},
    {"attention": "hard"},
]
each = pytest.mark.parametrize("changes", VARIANTS, ids=str)


def by_the_book(
    model: MemoryNetwork, story: list[list[int]], question: list[int], linear: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the equations for one question, word by word; names as in the paper."""
    w = {name: weight.numpy() for name, weight in model.state_dict().items()}
    config, d = model.config, model.config.embed_dim
    first = len(story) - min(len(story), config.memory_size)

    def embedded(table: np.ndarray, words: list[int]) -> np.ndarray:
        total = np.zeros(d)
        for j, word in enumerate(words, 1):
            for k in range(1, d + 1):
                weight = 1.0
                if isinstance(config.encoding, PositionEncoding):
                    J = len(words)
                    weight = (1 - j / J) - (k / d) * (1 - 2 * j / J)
                elif isinstance(config.encoding, OfficialPositionEncoding):
                    J = config.encoding.max_words
                    weight = 1 + 4 * (k - (d + 1) / 2) * (j - (J + 1) / 2) / (d * J)
                total[k - 1] += weight * table[word][k - 1]
        return total

    adjacent = config.tying == "adjacent"
    u = embedded(w["memories.0.words"] if adjacent else w["question"], question)
    weights = np.zeros((config.hops, len(story)))
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
            if isinstance(config.attention, HardReading):
                p = np.eye(len(p))[p.argmax()]
            weights[hop, first:] = p
            for weight, value in zip(scores if linear else p, values, strict=True):
                o += weight * value
        u = (u if adjacent else w["between.weight"] @ u) + o
    return w["output.weight"] @ u, weights


@each
def test_logits_and_weights_are_those_of_the_equations(changes: dict[str, Any]) -> None:
    model, batch = small_model(**changes), ragged_batch()
    with torch.no_grad():
        logits, weights = model(*batch).numpy(), model.attention_weights(*batch)
    for row, (story, question) in enumerate(zip(told(), asked(), strict=True)):
        wanted, looked = by_the_book(model, story, question)
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(weights[row, :, : len(story)], looked, rtol=0, atol=1e-12)
        assert not weights[row, :, len(story) :].any()


@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
def test_a_linear_start_leaves_the_softmax_out_until_it_is_over(tying: str) -> None:
    model, batch = small_model(tying=tying), ragged_batch()
    softened = model(*batch)
    model.start_linear(10)
    for left in (10, 4):
        assert float(model.linear) == left
        logits = model(*batch).detach().numpy()
        for row, (story, question) in enumerate(zip(told(), asked(), strict=True)):
            wanted, _ = by_the_book(model, story, question, linear=True)
            np.testing.assert_allclose(logits[row], wanted, rtol=1e-12, atol=1e-12)
        model.learned(6)
    assert float(model.linear) == 0
    assert torch.equal(model(*batch), softened)


def test_a_hard_attention_starts_linear() -> None:
    batch = ragged_batch()
    model, soft = small_model(attention="hard"), small_model()
    settled = model(*batch)
    for starting in (model, soft):
        starting.start_linear(3)
    assert torch.equal(model(*batch), soft(*batch))
    assert model.train().forward_sampled(*batch)[1] is None
    model.learned(3)
    assert model.forward_sampled(*batch)[1] is not None
    assert torch.equal(model.eval()(*batch), settled)


@each
def test_what_was_forgotten_is_never_read(changes: dict[str, Any]) -> None:
    model, (story, question) = small_model(**changes), ragged_batch()
    wanted = model(story, question)
    forgotten = len(flat(told()[0][:2])) - 1
    story.ids[0, :forgotten] = 9
    assert torch.equal(wanted, model(story, question))
    wanted.square().sum().backward()
    for memory in model.memories[: -1 if model.config.tying == "adjacent" else None]:
        assert not memory.words.grad[0].any(), "learned from where there is no word"


def one_story(sentences: list[list[int]]) -> Sequences:
    return Sequences(torch.tensor(flat(sentences))[None])


def test_the_order_of_sentences_matters_through_their_times_alone() -> None:
    model, sentences = small_model(), told()[3]
    _, question = alone(3)
    stories = one_story(sentences), one_story(sentences[::-1])
    before, turned = (model(story, question) for story in stories)
    assert not torch.allclose(before, turned)
    with torch.no_grad():
        for memory in model.memories:
            memory.time.zero_()
    before, turned = (model(story, question) for story in stories)
    torch.testing.assert_close(before, turned)


def test_the_order_of_words_matters_unless_they_are_a_bag() -> None:
    story, question = alone(0)
    for encoding, same in (("position", False), ("bag", True)):
        model = small_model(encoding=encoding)
        one, other = model(story, question), model(story, Sequences(question.ids.flip(1)))
        assert torch.allclose(one, other) == same


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_weights_are_of_the_sentences_that_are_remembered(attention: str) -> None:
    model, batch = small_model(attention=attention), ragged_batch()
    weights = model.attention_weights(*batch)
    assert weights.shape == (len(COUNTS), 3, max(COUNTS)) and (weights >= 0).all()
    some = (torch.tensor(COUNTS) > 0).double()[:, None].expand(-1, 3)
    torch.testing.assert_close(weights.sum(-1), some)
    assert not weights[0, :, :2].any()
    assert (attention == "soft") == bool((weights[0, :, 2:] > 0).all())


def test_sentences_without_words_have_their_place() -> None:
    grid = story_grid(Sequences.of([[3, 5, 6, 3, 3], [7, 3], [4]]), end=3, memory_size=9)
    words = torch.where(grid.real, grid.words, 0)
    assert words.tolist() == [
        [[0, 0], [5, 6], [0, 0]],
        [[7, 0], [0, 0], [0, 0]],
        [[4, 0], [0, 0], [0, 0]],
    ]
    assert grid.counts.tolist() == [3, 1, 1] and not grid.earlier.any()
    silent = story_grid(Sequences.of([[3, 3], [3]]), end=3, memory_size=9)
    assert silent.words.shape == (2, 2, 0) and silent.counts.tolist() == [2, 1]
    nothing = story_grid(Sequences.of([[], []]), end=3, memory_size=9)
    assert nothing.words.shape == (2, 0, 0) and nothing.counts.tolist() == [0, 0]


def test_stories_that_are_empty_are_answered_from_the_question_alone() -> None:
    model, (_, question) = small_model(), ragged_batch()
    empty = Sequences(torch.zeros(len(COUNTS), 0, dtype=torch.long))
    state = model._ask(question)
    assert torch.equal(model(empty, question), model.output(state))
    assert model.attention_weights(empty, question).shape == (len(COUNTS), 3, 0)
    assert model(empty.take(torch.tensor([], dtype=torch.long)), question.take(
        torch.tensor([], dtype=torch.long))).shape == (0, 17)  # fmt: skip


def test_adjacent_tying_shares_the_output_and_layerwise_all_hops() -> None:
    adjacent, layerwise = small_model(), small_model(tying="layerwise")
    assert adjacent.output.weight is adjacent.memories[-1].words
    assert len(adjacent.memories) == 4 and len(layerwise.memories) == 2
    assert sum(p.numel() for p in adjacent.parameters()) == 4 * (17 + 4) * 6
    wanted = 2 * (17 + 4) * 6 + 2 * 17 * 6 + 6 * 6
    assert sum(p.numel() for p in layerwise.parameters()) == wanted


def test_noise_keeps_the_order_and_makes_a_story_longer_by_its_share_at_most() -> None:
    lengths = torch.tensor([30, 1, 0, 7])
    drawn = torch.stack([sentence_ages(lengths, 30, 0.1) for _ in range(200)])
    for row, (length, gaps) in enumerate([(30, 3), (1, 1), (0, 0), (7, 1)]):
        here = drawn[:, row, :length]
        assert (here.diff(dim=-1) < 0).all() and (here >= 0).all()
        if length:
            assert set(range(length - 1, length + gaps)) >= set(here[:, 0].tolist())
            assert here[:, 0].max() == length + gaps - 1
        assert not drawn[:, row, length:].any()
    plain = sentence_ages(lengths, 30)
    assert torch.equal(plain[3, :7], torch.arange(6, -1, -1))


def test_noise_is_of_training_alone_and_repeats_with_the_seed() -> None:
    model, batch = small_model(noise=0.5), ragged_batch()
    assert torch.equal(model(*batch), small_model()(*batch))
    model.train()
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(model(*batch))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert all(logits.isfinite().all() for logits in found)


def test_a_hard_attention_draws_while_it_learns_and_chooses_when_it_answers() -> None:
    batch, counts = ragged_batch(), torch.tensor(COUNTS)
    model = small_model(attention="hard")
    assert model.forward_sampled(*batch)[1] is None
    model.train()
    logits, aux = model.forward_sampled(*batch)
    assert aux is not None and aux.reinforce is model.reinforce
    sampled = aux.sampled
    assert (sampled.log_prob[counts > 1] < 0).all() and (sampled.entropy[counts > 1] > 0).all()
    assert (sampled.log_prob[counts < 2] == 0).all() and (sampled.entropy[counts < 2] == 0).all()
    assert not torch.equal(logits, model.forward_sampled(*batch)[0])
    sampled.log_prob.sum().backward()
    assert model.memories[0].words.grad.isfinite().all() and model.memories[0].words.grad.any()


def gradient_of_times(temperature: float) -> torch.Tensor:
    """What a straight-through draw, the same for every temperature, teaches the first keys."""
    choice = f"hard(estimator=gumbel, temperature={temperature})"
    model = small_model(attention=choice, hops=1).train()
    assert model.reinforce is None
    torch.manual_seed(3)
    logits, aux = model.forward_sampled(*ragged_batch())
    assert aux is None
    logits.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    gradient: torch.Tensor = model.memories[0].time.grad
    return gradient


def test_a_straight_through_hard_attention_has_a_gradient_of_its_temperature() -> None:
    usual, cool = gradient_of_times(1.0), gradient_of_times(0.3)
    assert usual.any() and cool.any() and not torch.allclose(usual, cool)


def test_hops_are_made_of_what_the_configuration_names_or_of_what_is_given() -> None:
    batch, usual = ragged_batch(), small_model()
    sparse = small_model(attention="soft(normalizer=sparsemax)")
    weights = sparse.attention_weights(*batch)
    assert (weights[0, :, 2:] == 0).any() and (usual.attention_weights(*batch)[0, :, 2:] > 0).all()
    given = small_model(Attend(Dot(), normalizer=sparsemax))
    assert given.config == sparse.config
    assert torch.equal(given(*batch), sparse(*batch))


def test_a_hop_may_leave_weights_out_while_it_learns() -> None:
    batch = ragged_batch()
    model = small_model(attention="soft(dropout=0.5)", hops=1)
    assert torch.equal(model(*batch), small_model(hops=1)(*batch))
    torch.manual_seed(0)
    assert not torch.equal(model.train()(*batch), model(*batch))


def test_a_hard_attention_has_its_normalizer_itself() -> None:
    with pytest.raises(ValueError, match="hard attention has a normalizer of its own"):
        small_model(Attend(Dot(), normalizer=sparsemax), attention="hard")
    with pytest.raises(ValueError, match="there is no normalizer in hard"):
        config(attention="hard(normalizer=sparsemax)")
    given = small_model(Attend(Bilinear(6, 6)), attention="hard")
    assert given.config.attention == HardReading(score="general")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hops": 0}, "hops must be at least 1 and at most 100, got 0"),
        ({"encoding": "official_position"}, "official_position needs max_words"),
        ({"attention": "soft(estimator=gumbel)"}, "there is no estimator in soft"),
    ],
    ids=str,
)
def test_impossible_choices_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        config(**changes)
