"""GPT's own: bands among dense layers, how it starts, what it refuses, pieces behind a cache."""

from functools import partial
from typing import Any

import pytest
import torch

from regard.generation import greedy
from regard.layers import Attend, FixedKVCache, WindowKVCache
from regard.models.gpt import Gpt, GptConfig, GptLM, GptLMConfig, gpt2_small, gpt3_small
from regard.sequences import Sequences
from tests.generation.writers import assert_same, opinionated

SMALL: dict[str, Any] = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "layers": 4, "max_length": 12}
RAGGED = Sequences.of([[4, 8, 5, 1, 9, 2, 7], [7], [10, 4, 1], [5, 5, 6, 2], [3, 8, 9, 1, 2, 2]])
WAYS: list[dict[str, Any]] = [
    {},
    {"norm": "post"},
    {"band": 1},
    {"band": 2, "head_dim": 3},
    {"band": 5},
    {"scale_by_layer": True},
]
ways = pytest.mark.parametrize("way", WAYS, ids=str)


def writer(**changes: Any) -> Any:
    return opinionated(GptLM, GptLMConfig(**SMALL | changes), 0.5)


@pytest.mark.parametrize("band", [1, 2, 6, 7, 20])
def test_every_second_layer_is_banded_as_a_dense_mask_says(band: int) -> None:
    model, tokens = writer(band=band), torch.randint(0, 11, (3, 8))
    place = torch.arange(8)
    back = place[:, None] - place
    masks = [back >= 0, (back >= 0) & (back <= band)]
    weights = model.weights(tokens)
    for layer, each in enumerate(weights):
        assert torch.equal(each != 0, masks[layer % 2].expand_as(each))
    # The same layers without bands, each told its mask as a tensor.
    dense = Gpt(GptConfig(**SMALL)).double().eval()
    state = {n.replace(".block.", "."): t for n, t in model.body.state_dict().items()}
    dense.load_state_dict(state)
    x = dense.embedding(tokens)
    for number, block in enumerate(dense.decoder):
        x = block(x, masks[number % 2])
    torch.testing.assert_close(model.features(tokens), dense.norm(x))


@ways
@pytest.mark.parametrize("sizes", [[3, 2, 2], [1] * 7, [7]], ids=str)
@pytest.mark.parametrize("cache", [None, partial(FixedKVCache, 9)], ids=["own", "fixed"])
def test_reading_in_pieces_is_reading_at_once(way: Any, sizes: list[int], cache: Any) -> None:
    model, tokens = writer(**way), torch.randint(0, 11, (3, 7))
    for graph in (True, False):
        with torch.set_grad_enabled(graph):
            caches = model.new_caches(cache=cache)
            found = [model.features_after(piece, caches) for piece in tokens.split(sizes, dim=1)]
        torch.testing.assert_close(torch.cat(found, 1), model.features(tokens))


@ways
def test_prompts_of_several_lengths_are_continued_as_alone(way: Any) -> None:
    model = writer(**way)
    prompt = model.encode(RAGGED)
    found = greedy(model, prompt, begin=prompt.last, max_length=8)
    for row, length in enumerate(RAGGED.counts.tolist()):
        alone = model.encode(RAGGED.ids[row : row + 1, :length])
        (wanted,) = greedy(model, alone, begin=alone.last, max_length=8)
        assert_same(found[row], wanted)


def test_a_banded_layer_keeps_its_band_alone() -> None:
    model, tokens = writer(band=2), torch.randint(0, 11, (3, 9))
    caches = model.new_caches()
    model.features_after(tokens, caches)
    assert [type(cache) is WindowKVCache for cache in caches] == [False, True] * 2
    kept = [cache.key.shape[2] for cache in caches if cache.key is not None]
    assert kept == [9, 2, 9, 2] and {cache.length for cache in caches} == {9}


def test_what_ends_a_layer_starts_smaller_the_more_layers_there_are() -> None:
    model = Gpt(GptConfig(vocab=50, embed_dim=160, num_heads=2, layers=8))
    for block in model.decoder:
        for layer in (block.attention.heads.output, block.feed_forward.output):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02 / 4, rel=0.05)
        assert float(block.feed_forward.hidden.weight.detach().std()) == pytest.approx(
            0.02, rel=0.05
        )
    first = Gpt(GptConfig(vocab=50, embed_dim=160, num_heads=2, layers=8, norm="post"))
    for block in first.decoder:
        assert float(block.feed_forward.output.weight.detach().std()) == pytest.approx(
            0.02, rel=0.05
        )


def test_tokens_and_lengths_that_are_not_there_are_said_by_name() -> None:
    model = writer()
    with pytest.raises(ValueError, match="token 11 is not among the 11"):
        model(torch.tensor([[3, 11]]))
    with pytest.raises(ValueError, match="13 positions are needed, but max_length is 12"):
        model(torch.ones(1, 13, dtype=torch.long))
    prompt = model.encode(torch.tensor([[3]]))
    with pytest.raises(ValueError, match="token 99 is not among"):
        model.step(prompt, model.start(prompt, 1), torch.tensor([99]))


def test_scores_that_are_no_dot_products_are_not_divided() -> None:
    entries = SMALL | {"scale_by_layer": True, "attention": {"score": "cosine"}}
    with pytest.raises(ValueError, match=r"attention.score is Cosine.*set it to False"):
        GptLM(GptLMConfig.from_entries(entries))


def test_one_operator_may_serve_all_layers() -> None:
    shared = Attend(dropout=0.1)
    model = GptLM(GptLMConfig(**SMALL | {"scale_by_layer": True}), attend=shared)
    assert model.config.attention.dropout == 0.1
    assert model(torch.tensor([[3, 4]])).shape == (1, 2, 11)


def test_published_sizes_are_those_of_the_papers() -> None:
    with torch.device("meta"):
        for made, millions in ((gpt2_small, 124), (gpt3_small, 125)):
            count = sum(weight.numel() for weight in GptLM(made()).parameters())
            assert round(count / 1e6) == millions
