"""Scores by content, distance and segment, against the sum written out pair by pair."""

import pytest
import torch
from torch import Tensor

from regard._backends import _relative
from regard.layers import Attend, Pairs, RelativeAttention
from regard.masks import Causal
from regard.normalizers import Entmax
from regard.score_mods import SoftCap

BATCH, HEADS, WIDTH, PAST, PRESENT = 2, 2, 4, 2, 5
KEYS = PAST + PRESENT


@pytest.fixture
def layer() -> RelativeAttention:
    torch.manual_seed(0)
    made = RelativeAttention(HEADS * WIDTH, HEADS).double()
    for vector in made.vectors():
        torch.nn.init.normal_(vector)
    return made


def drawn() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tokens, memory, the vectors of all distances, and what is of another segment."""
    torch.manual_seed(1)
    made = (torch.randn(BATCH, n, HEADS * WIDTH).double() for n in (PRESENT, PAST))
    tables = torch.randn(2, KEYS + PRESENT, HEADS * WIDTH).double()
    return (*made, tables, torch.rand(BATCH, PRESENT, KEYS) > 0.5)


def written_out(
    layer: RelativeAttention, x: Tensor, keys: Tensor, table: Tensor, row: int, q: int, k: int,
    different: bool,
) -> Tensor:  # fmt: skip
    """The scores of one query and one key in all heads; the table begins with distance KEYS."""
    query = layer.query(x[row, q]).view(HEADS, WIDTH)
    key = layer.key_value(keys[row, k])[: HEADS * WIDTH].view(HEADS, WIDTH)
    far = layer.distance(table[KEYS - (PAST + q - k)]).view(HEADS, WIDTH)
    terms = (
        (query + layer.content_bias) * key
        + (query + layer.distance_bias) * far
        + (query + layer.segment_bias) * layer.segments[int(different)]
    )
    return terms.sum(-1) / WIDTH**0.5


@pytest.mark.parametrize("block", [1, 2, 3, 64])
@pytest.mark.parametrize("backward", [None, torch.tensor([False, True])])
@pytest.mark.parametrize("places", [None, torch.tensor([[3, 0], [1, 1]])])
def test_scores_are_the_sum_of_three_terms(
    layer: RelativeAttention, block: int, backward: Tensor | None, places: Tensor | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(_relative, "BLOCK", block)
    x, memory, tables, differs = drawn()
    asked = x
    if places is not None:
        asked = x[:, :2]
        index = places.unsqueeze(-1).expand(-1, -1, KEYS)
        differs = differs.gather(1, index)
    keys = layer.keys(x, tables if backward is not None else tables[:1], memory)
    pairs = Pairs(PRESENT, None, places, differs, backward)
    weights = layer.weights(asked, keys, pairs)
    known = torch.cat([memory, x], 1)
    for row in range(BATCH):
        table = tables[int(backward is not None and bool(backward[row]))]
        for number in range(asked.shape[1]):
            place = number if places is None else int(places[row, number])
            moved = torch.zeros_like(x)
            moved[row, place] = asked[row, number]
            scores = torch.stack(
                [
                    written_out(layer, moved, known, table, row, place, k, differs[row, number, k])
                    for k in range(KEYS)
                ]
            )
            torch.testing.assert_close(
                weights[row, :, number], scores.softmax(0).mT, rtol=0, atol=1e-12
            )


@pytest.mark.parametrize("block", [2, 64])
def test_a_causal_layer_needs_no_distance_below_zero(
    layer: RelativeAttention, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, memory, tables, _ = drawn()
    pairs = Pairs(PRESENT, Causal())
    wanted = layer(x, layer.keys(x, tables[:1], memory), pairs)
    monkeypatch.setattr(_relative, "BLOCK", block)
    found = layer(x, layer.keys(x, tables[:1, : KEYS + 1], memory), pairs)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_other_parts_stand_in_the_place_of_the_usual_ones(layer: RelativeAttention) -> None:
    x, memory, tables, _ = drawn()
    keys, pairs = layer.keys(x, tables[:1], memory), Pairs(PRESENT)
    usual = layer.weights(x, keys, pairs).log()
    layer.attend = Attend(normalizer=Entmax(1.5), score_mod=SoftCap(0.5))
    found = layer.weights(x, keys, pairs)
    # What a softmax says of scores is known but for a number of each query; a cap is none of these.
    assert (found == 0).any() or not torch.allclose(found.log(), usual)
    torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]))
    values = keys.value
    output = layer.output((found @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x, keys, pairs), output, rtol=0, atol=1e-12)
