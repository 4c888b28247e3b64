"""A language model continues its prompts, as long as it has positions and beyond."""

from functools import partial
from typing import Any

import pytest
import torch

from regard.generation import beam_search, greedy
from regard.layers import FixedKVCache, KVCache
from regard.models.transformer import TransformerLM, TransformerLMConfig
from regard.sequences import Packed, Sequences
from tests.generation.writers import END, assert_same, opinionated, written

PROMPTS = torch.randint(0, 11, (5, 5), generator=torch.Generator().manual_seed(1))


RAGGED = Sequences.of([[4, 8, 5, 1, 9, 2, 7], [7], [10, 4, 1], [5, 5, 6, 2], [3, 8, 9, 1, 2, 2, 4]])
WAYS: list[dict[str, Any]] = [
    {"positions": "sinusoidal"},
    {"positions": "learned"},
    {"positions": "rope"},
    {"positions": "none"},
    {"sharing": "universal"},
    {"sharing": "all", "positions": "learned", "kv_heads": 1},
]
ways = pytest.mark.parametrize("way", WAYS, ids=str)


def language_model(positions: str = "sinusoidal", max_length: int = 20, **more: Any) -> Any:
    entries = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12, "layers": 2, "vocab": 11}
    more |= {"positions": positions, "max_length": max_length}
    return opinionated(TransformerLM, TransformerLMConfig.from_entries(entries | more), 0.5)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_language_model_continues_its_prompts(positions: str) -> None:
    model = language_model(positions)
    prompt = model.encode(PROMPTS)
    found = greedy(model, prompt, begin=prompt.last, max_length=7)
    tokens = prompt.tokens
    for _ in range(7):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    assert [list(answer.tokens) for answer in found] == tokens[:, 5:].tolist()
    assert not any(answer.finished for answer in found)
    wide = beam_search(model, prompt, begin=prompt.last, end=END, max_length=7, beams=5)
    for row, answers in enumerate(wide):
        for answer in answers:
            whole = torch.tensor([*prompt.tokens[row].tolist(), *written(answer)])
            logits = model(whole[None, :-1])[0, 4:].log_softmax(-1)
            wanted = logits.gather(1, whole[5:, None]).sum().item()
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("length", [1, 4, 5, 9])
def test_a_text_longer_than_its_positions_keeps_its_newer_half(length: int) -> None:
    model = language_model("learned", max_length=4)
    prompt = model.encode(torch.randint(0, 11, (3, length)))
    found = greedy(model, prompt, begin=prompt.last, max_length=9)
    assert all(len(answer.tokens) == 9 for answer in found)
    # Read by hand: positions fill up to four, then two are kept.
    tokens = prompt.tokens[:, :-1]
    tokens = tokens if length - 1 < 4 else tokens[:, -2:]
    new = prompt.tokens[:, -1:]
    for step in range(9):
        tokens = torch.cat([tokens if tokens.shape[1] < 4 else tokens[:, -2:], new], dim=1)
        new = model(tokens)[:, -1:].argmax(-1)
        assert new[:, 0].tolist() == [answer.tokens[step] for answer in found]


def test_a_prompt_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        language_model().encode(torch.ones(2, 0, dtype=torch.long))


@ways
@pytest.mark.parametrize("sizes", [[3, 2, 2], [1] * 7], ids=str)
@pytest.mark.parametrize("cache", [None, partial(FixedKVCache, 9)], ids=["growing", "fixed"])
def test_reading_in_pieces_is_reading_at_once(way: Any, sizes: list[int], cache: Any) -> None:
    model, tokens = language_model(**way), torch.randint(0, 11, (3, 7))
    caches = model.new_caches(cache=cache)
    found = [model.features_after(piece, caches) for piece in tokens.split(sizes, dim=1)]
    torch.testing.assert_close(torch.cat(found, 1), model.features(tokens))


@ways
@pytest.mark.parametrize("cache", [KVCache, partial(FixedKVCache, 13)], ids=["growing", "fixed"])
@pytest.mark.parametrize("packed", [True, False])
def test_prompts_of_several_lengths_are_continued_as_alone(
    way: Any, cache: Any, packed: bool
) -> None:
    model = language_model(**way)
    prompt = model.encode(Packed.of(RAGGED) if packed else RAGGED, cache)
    found = greedy(model, prompt, begin=prompt.last, end=END, max_length=6)
    wide = beam_search(model, prompt, begin=prompt.last, end=END, max_length=6, beams=3)
    for row, length in enumerate(RAGGED.counts.tolist()):
        alone = model.encode(RAGGED.ids[row : row + 1, :length])
        (wanted,) = greedy(model, alone, begin=alone.last, end=END, max_length=6)
        assert_same(found[row], wanted)
        (best,) = beam_search(model, alone, begin=alone.last, end=END, max_length=6, beams=3)
        for one, other in zip(wide[row], best, strict=True):
            assert_same(one, other)


def test_padding_on_the_left_of_a_prompt_changes_nothing() -> None:
    model, ids = language_model("learned"), torch.tensor([[0, 0, 7, 8], [0, 4, 5, 6]])
    left, right = Sequences.where(ids, ids != 0), Sequences.of([[7, 8], [4, 5, 6]])
    found = [
        greedy(model, prompt, begin=prompt.last, max_length=5)
        for prompt in (model.encode(left), model.encode(right))
    ]
    for one, other in zip(*found, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("cache", [None, partial(FixedKVCache, 8)], ids=["growing", "fixed"])
def test_each_text_drops_its_older_half_for_itself(cache: Any) -> None:
    model = language_model("learned", max_length=4)
    prompt = model.encode(RAGGED, cache)
    found = greedy(model, prompt, begin=prompt.last, max_length=9)
    for row, length in enumerate(RAGGED.counts.tolist()):
        alone = model.encode(RAGGED.ids[row : row + 1, :length])
        (wanted,) = greedy(model, alone, begin=alone.last, max_length=9)
        assert_same(found[row], wanted)


@ways
def test_padded_and_packed_texts_are_read_as_alone(way: Any) -> None:
    model = language_model(**way)
    packed = Packed.of(RAGGED)
    found, rows = model(RAGGED), packed.split(model(packed))
    for row, length in enumerate(RAGGED.counts.tolist()):
        alone = model(RAGGED.ids[row : row + 1, :length])[0]
        torch.testing.assert_close(found[row, :length], alone)
        torch.testing.assert_close(rows[row], alone)
        assert not found[row, length:].any()


def test_a_prompt_among_others_that_has_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        language_model().encode(Sequences.of([[3, 4], []]))
