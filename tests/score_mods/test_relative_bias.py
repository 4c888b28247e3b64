import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from regard.score_mods import RelativeBias, relative_bias
from tests.contracts.test_score_mods import t5_bucket

SHAPES = [(32, 128, True), (32, 128, False), (64, 256, True), (8, 5, False), (6, 7, True)]
DISTANCES = torch.arange(-300, 301)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_buckets_are_those_of_the_formula_at_every_distance(
    shape: tuple[int, int, bool],
) -> None:
    buckets = RelativeBias(1, *shape).bucket(DISTANCES).tolist()
    assert buckets == [t5_bucket(d, *shape) for d in DISTANCES.tolist()]


@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_are_those_that_checkpoints_of_t5_were_trained_with(bidirectional: bool) -> None:
    # The released models take the logarithm in float32; at T5's sizes no boundary is hurt by it.
    one_way = 16 if bidirectional else 32
    exact = one_way // 2
    size = DISTANCES.abs() if bidirectional else (-DISTANCES).clamp(min=0)
    logs = (size.clamp(min=1).float() / exact).log() / math.log(128 / exact) * (one_way - exact)
    expected = torch.where(size < exact, size, (exact + logs.long()).clamp(max=one_way - 1))
    if bidirectional:
        expected = expected + one_way * (DISTANCES > 0)
    assert torch.equal(RelativeBias(1, bidirectional=bidirectional).bucket(DISTANCES), expected)


def test_boundaries_open_their_bucket() -> None:
    # Sixteen buckets one way, eight of them exact: 8 · 16^(j / 8) opens bucket 8 + j.
    mod = RelativeBias(1)
    for distance, bucket in [(7, 7), (8, 8), (15, 9), (16, 10), (31, 11), (32, 12), (63, 13)]:
        assert mod.bucket(torch.tensor([-distance, distance])).tolist() == [bucket, bucket + 16]
    assert mod.bucket(torch.tensor([-64, -127, -128, -10_000])).tolist() == [14, 15, 15, 15]


def test_one_way_ignores_how_far_ahead_a_key_is() -> None:
    mod = RelativeBias(1, bidirectional=False)
    assert mod.bucket(torch.tensor([0, 1, 50, 500])).tolist() == [0, 0, 0, 0]


def test_buckets_grow_with_distance_and_all_are_used() -> None:
    for shape in SHAPES:
        mod = RelativeBias(1, *shape)
        behind = mod.bucket(-torch.arange(500))
        assert (behind.diff() >= 0).all()
        one_way = shape[0] // 2 if shape[2] else shape[0]
        if shape[1] >= 2 * one_way:
            assert behind.unique().tolist() == list(range(one_way))


def test_only_the_table_is_saved_and_learned() -> None:
    mod = RelativeBias(4)
    assert list(mod.state_dict()) == ["weight"] and mod.weight.shape == (32, 4)
    twin = RelativeBias(4)
    twin.load_state_dict(mod.state_dict())
    assert torch.equal(twin.weight, mod.weight)


def test_the_gradient_counts_how_often_a_bucket_was_used() -> None:
    mod = RelativeBias(2, num_buckets=4, max_distance=3)
    position = torch.arange(3)
    h = torch.arange(2).view(2, 1, 1)
    score = torch.zeros(2, 3, 3)
    mod(score, torch.tensor(0), h, position[:, None], position).sum().backward()
    # Buckets: 0 the same place, 1 behind, 2 unused (ahead, distance 0), 3 ahead.
    assert mod.weight.grad.tolist() == [[3, 3], [3, 3], [0, 0], [3, 3]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0,), "num_heads >= 1, got 0"),
        ((2, 3), "num_buckets >= 4, even where bidirectional, got 3"),
        ((2, 1, 128, False), "num_buckets >= 2, even where bidirectional, got 1"),
        ((2, 32, 8), "max_distance > 8, the number of exact buckets, got 8"),
        ((2, 32, 16, False), "max_distance > 16, the number of exact buckets, got 16"),
    ],
)
def test_impossible_sizes_are_refused(arguments: tuple[int, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        RelativeBias(*arguments)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_buckets_are_computed_as_they_are_looked_up(shape: tuple[int, int, bool]) -> None:
    """While something is recorded there is no table; the numbers are the same."""
    mod = RelativeBias(1, *shape)
    looked_up = mod.bucket(DISTANCES)
    computed = torch.func.vmap(mod.bucket)(DISTANCES)
    assert torch.equal(looked_up, computed) and computed.dtype == torch.int64
    assert torch.equal(mod.bucket(DISTANCES.int()).long(), looked_up)


def test_a_module_made_without_numbers_is_whole_once_it_is_loaded() -> None:
    source = RelativeBias(4, 8, 5)
    with torch.device("meta"):
        made = RelativeBias(4, 8, 5)
    made.bucket(torch.arange(-9, 9, device="meta"))
    made = made.to_empty(device="cpu")
    made.load_state_dict(source.state_dict(), strict=True)
    assert torch.equal(made.bucket(DISTANCES), source.bucket(DISTANCES))
    assert not list(made.buffers())


class _Layer(nn.Module):
    """Something that takes a device, as `torch.nn.utils.skip_init` wants it."""

    def __init__(self, device: str | None = None) -> None:
        super().__init__()
        with torch.device(device or "cpu"):
            self.mod = RelativeBias(4, 8, 5)


def test_a_module_made_by_skip_init_is_whole_once_it_is_loaded() -> None:
    source, made = _Layer(), nn.utils.skip_init(_Layer)
    made.load_state_dict(source.state_dict())
    assert torch.equal(made.mod.bucket(DISTANCES), source.mod.bucket(DISTANCES))


def test_a_table_made_in_inference_mode_serves_training() -> None:
    relative_bias._table.cache_clear()
    mod = RelativeBias(2, 8, 5)
    with torch.inference_mode():
        mod.bucket(torch.arange(-9, 9))
    assert not relative_bias._table(mod.openings, 5, True, torch.device("cpu")).is_inference()
    assert relative_bias._table.cache_info().hits == 1
    at = torch.tensor(0), torch.arange(2).view(2, 1, 1), torch.arange(3)[:, None], torch.arange(3)
    mod(torch.zeros(2, 3, 3), *at).sum().backward()
    assert mod.weight.grad.sum() == 18


def test_the_table_is_made_once() -> None:
    relative_bias._table.cache_clear()
    mods = [RelativeBias(2, 8, 5), RelativeBias(3, 8, 5)]
    for mod in mods * 3:
        mod.bucket(DISTANCES)
    assert relative_bias._table.cache_info().misses == 1


@pytest.mark.parametrize("make", [copy.deepcopy, lambda mod: pickle.loads(pickle.dumps(mod))])
def test_copies_are_whole(make: object) -> None:
    mod = RelativeBias(4, 8, 5)
    mod.bucket(DISTANCES)
    twin = make(mod)
    assert torch.equal(twin.bucket(DISTANCES), mod.bucket(DISTANCES))
    assert torch.equal(twin.weight, mod.weight) and twin.weight is not mod.weight


@pytest.mark.parametrize("wrong", [True, 2.0, "2", np.bool_(True)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_sizes_that_are_no_counts_are_refused(
    wrong: object, place: int, as_users_have_it: None
) -> None:
    sizes: list[object] = [2, 8, 5]
    sizes[place] = wrong
    with pytest.raises(TypeError, match="RelativeBias needs .* to be an int, got .*; "):
        RelativeBias(*sizes)
