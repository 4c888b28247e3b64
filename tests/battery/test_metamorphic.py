"""Relations that hold of attention whatever its numbers are: most bugs break several of them."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import chunked
from regard.masks import Block, Causal, Dense, Padding, Prefix, SlidingWindow
from regard.normalizers import Softmax, divide_by_sum, sigmoid, softmax, softmax_one, sparsemax
from regard.score_mods import ALiBi, Bias
from regard.scores import Cosine, Dot, FeatureMapDot, NegativeSquaredDistance, ScaledDot
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate

BACKENDS = ["reference", "chunked", "tiny", "sdpa", "banded"]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
EVERYTHING = SlidingWindow(999, 999)
"""A window that hides nothing, so that the banded backend takes part."""


@pytest.fixture(autouse=True)
def tiny_chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "backend" in request.fixturenames and request.getfixturevalue("backend") == "tiny":
        monkeypatch.setattr(chunked, "chunk_rows", lambda call: 2)


def attend(
    query: Tensor, key: Tensor, value: Tensor, backend: str, mask: Any = None, **parts: Any
) -> Tensor:
    """Call the backend of this name, with a window for the one that needs one."""
    if backend == "banded":
        mask = EVERYTHING if mask is None else EVERYTHING & mask
    backend = "chunked" if backend == "tiny" else backend
    return regard.attention(query, key, value, mask=mask, backend=backend, **parts)


def same(found: Tensor, wanted: Tensor) -> None:
    __tracebackhide__ = True
    assert_same({"it": found.detach()}, {"it": wanted.detach()}, 1e-12)


def qkv(q_len: int = 9, k_len: int = 9, kv_heads: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return tensors(Sizes(2, 4, kv_heads, q_len, k_len, 3, 5))


@every_backend
@pytest.mark.parametrize("window", [0, 1, 3, 4, 5])
def test_a_cache_of_the_window_equals_the_whole_past(backend: str, window: int) -> None:
    """Decoding with only the last window + 1 keys kept, as a rolling cache does."""
    query, key, value = qkv()
    whole = attend(query, key, value, backend, SlidingWindow(window), score_mod=None)
    for t in range(9):
        first = max(0, t - window)
        kept = [x[:, :, first : t + 1] for x in (key, value)]
        same(attend(query[:, :, t : t + 1], *kept, backend), whole[:, :, t : t + 1])


@every_backend
@pytest.mark.parametrize("cut", [0, 1, 4, 8, 9])
def test_two_halves_of_the_keys_merge_by_their_log_sums(backend: str, cut: int) -> None:
    query, key, value = qkv(kv_heads=4)
    whole = attend(query, key, value, backend)
    scores = query @ key.mT / math.sqrt(3)
    logs = torch.stack([x.logsumexp(-1) for x in (scores[..., :cut], scores[..., cut:])])
    parts = torch.stack(
        [attend(query, key[:, :, s], value[:, :, s], backend) for s in (slice(cut), slice(cut, 9))]
    )
    same((logs.softmax(0).unsqueeze(-1) * parts).sum(0), whole)


@every_backend
def test_heads_equal_a_loop_over_heads(backend: str) -> None:
    query, key, value = qkv()
    tensor, bias = torch.rand(4, 9, 9) < 0.6, torch.randn(4, 9, 9, dtype=torch.float64)
    biased = backend != "banded"
    mods = {"score_mod": Bias(bias)} if biased else {}
    whole = attend(query, key, value, backend, Dense(tensor), **mods)
    for h in range(4):
        g = h // 2
        mods = {"score_mod": Bias(bias[h])} if biased else {}
        alone = [query[:, h : h + 1], key[:, g : g + 1], value[:, g : g + 1]]
        same(attend(*alone, backend, Dense(tensor[h]), **mods), whole[:, h : h + 1])


@every_backend
def test_a_batch_equals_a_loop_over_sequences(backend: str) -> None:
    query, key, value = qkv()
    tensor = torch.rand(2, 1, 9, 9) < 0.6
    whole = attend(query, key, value, backend, Dense(tensor))
    for n in range(2):
        alone = [x[n : n + 1] for x in (query, key, value)]
        same(attend(*alone, backend, Dense(tensor[n : n + 1])), whole[n : n + 1])


@every_backend
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_padded_batch_equals_its_sequences_one_by_one(backend: str, side: str) -> None:
    query, key, value = qkv()
    lengths = [4, 9]
    keep = torch.stack([torch.arange(9) < n for n in lengths])
    keep = keep if side == "right" else keep.flip(1)
    mask = Padding(keep=keep) & Causal()
    whole = attend(query, key, value, backend, mask)
    for n, length in enumerate(lengths):
        real = slice(0, length) if side == "right" else slice(9 - length, 9)
        alone = [x[n : n + 1, :, real] for x in (query, key, value)]
        same(attend(*alone, backend, Causal()), whole[n : n + 1, :, real])


@every_backend
def test_causal_and_a_mask_are_both_honored(backend: str) -> None:
    query, key, value = qkv(5, 9)
    tensor = torch.rand(2, 4, 5, 9) < 0.6
    both = attend(query, key, value, backend, Causal() & Dense(tensor))
    same(both, attend(query, key, value, backend, Dense(tensor.tril(4))))
    assert not torch.allclose(both, attend(query, key, value, backend, Causal()))
    assert not torch.allclose(both, attend(query, key, value, backend, Dense(tensor)))


@every_backend
def test_a_masked_key_is_a_deleted_key(backend: str) -> None:
    query, key, value = qkv()
    keep = torch.tensor([True, False, True, True, False, False, True, False, True])
    masked = attend(query, key, value, backend, Dense(keep[None]))
    same(masked, attend(query, key[:, :, keep], value[:, :, keep], backend))


@every_backend
def test_the_coldest_softmax_is_the_best_key(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    best = (query @ key.mT).argmax(-1, keepdim=True)
    wanted = value.take_along_dim(best, 2)
    same(attend(query, key, value, backend, score=ScaledDot(1e7)), wanted)
    same(attend(query, key, value, backend, normalizer=Softmax(1e-7)), wanted)


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny", "sdpa"])
@pytest.mark.parametrize("shift", [2000.0, -2000.0])
def test_a_huge_shift_of_all_scores_changes_nothing(backend: str, shift: float) -> None:
    query, key, value = qkv()
    plain = attend(query, key, value, backend, Causal())
    shifts = Bias(torch.full((9, 1), shift, dtype=torch.float64))
    shifted = attend(query, key, value, backend, Causal(), score_mod=shifts)
    assert_same({"it": shifted}, {"it": plain}, 1e-11)
    low = [x.float() for x in (query, key, value)]
    assert attend(*low, backend, Causal(), score_mod=shifts).isfinite().all()


@every_backend
def test_equal_scores_give_the_mean_of_the_permitted_values(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    tensor = torch.rand(2, 4, 9, 9) < 0.5
    tensor[..., 0] = True
    found = attend(0 * query, key, value, backend, Dense(tensor))
    shares = tensor.double() / tensor.sum(-1, keepdim=True)
    same(found, shares @ value)


@every_backend
def test_a_window_of_itself_is_the_identity(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    assert torch.equal(attend(query, key, value, backend, SlidingWindow(0)), value)
    assert torch.equal(attend(query, key, value, backend, Block(1)), value)


@every_backend
def test_the_first_causal_row_is_the_first_value(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    found = attend(query, key, value, backend, Causal())
    assert torch.equal(found[:, :, 0], value[:, :, 0])


@every_backend
def test_a_window_beyond_the_length_is_causal(backend: str) -> None:
    inputs = qkv()
    same(attend(*inputs, backend, SlidingWindow(8)), attend(*inputs, backend, Causal()))
    same(attend(*inputs, backend, Block(9)), attend(*inputs, backend))


@every_backend
@pytest.mark.parametrize("length", [40, 140])
def test_a_later_token_cannot_change_an_earlier_output(backend: str, length: int) -> None:
    query, key, value = (torch.randn(2, 2, length, 8) for _ in range(3))
    mask = Causal() & SlidingWindow(30)
    before = attend(query, key, value, backend, mask)
    for t in (1, 17, length - 1):
        changed = [torch.cat([x[:, :, :t], torch.randn_like(x[:, :, t:])], 2) for x in (key, value)]
        after = attend(query, *changed, backend, mask)
        assert torch.equal(after[:, :, :t], before[:, :, :t])
        assert not torch.equal(after[:, :, t:], before[:, :, t:])


@every_backend
def test_the_order_of_keys_does_not_matter(backend: str) -> None:
    query, key, value = qkv()
    order = torch.randperm(9)
    tensor = torch.rand(9, 9) < 0.6
    shuffled = [x[:, :, order] for x in (key, value)]
    found = attend(query, *shuffled, backend, Dense(tensor[:, order]))
    same(found, attend(query, key, value, backend, Dense(tensor)))


@every_backend
def test_queries_are_answered_one_by_one(backend: str) -> None:
    query, key, value = qkv()
    order = torch.randperm(9)
    same(
        attend(query[:, :, order], key, value, backend),
        attend(query, key, value, backend)[:, :, order],
    )


@every_backend
def test_a_key_given_twice_counts_twice(backend: str) -> None:
    query, key, value = qkv()
    twice = [x.repeat_interleave(2, 2) for x in (key, value)]
    same(attend(query, *twice, backend), attend(query, key, value, backend))
    extra = [torch.cat([x, x[:, :, :1]], 2) for x in (key, value)]
    if backend != "banded":
        bias = torch.zeros(1, 9, dtype=torch.float64)
        bias[0, 0] = math.log(2)
        weighted = attend(query, key, value, backend, score_mod=Bias(bias), score=ScaledDot(0.1))
        same(weighted, attend(query, *extra, backend, score=ScaledDot(0.1)))


@every_backend
def test_the_output_is_linear_in_the_values(backend: str) -> None:
    query, key, value = qkv()
    other = torch.randn_like(value)
    found = attend(query, key, 2 * value - 3 * other, backend)
    parts = [attend(query, key, x, backend) for x in (value, other)]
    same(found, 2 * parts[0] - 3 * parts[1])


@every_backend
def test_the_output_lies_between_the_values(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    found = attend(query, key, value, backend)
    assert (found <= value.amax(2, keepdim=True)).all()
    assert (found >= value.amin(2, keepdim=True)).all()


@every_backend
def test_scaling_the_score_is_scaling_the_query(backend: str) -> None:
    query, key, value = qkv()
    plain = attend(query, key, value, backend, score=ScaledDot(0.37))
    same(plain, attend(0.37 * query, key, value, backend, score=Dot()))
    same(plain, attend(query, key, value, backend, score=Dot(), normalizer=Softmax(1 / 0.37)))
    assert not torch.allclose(plain, attend(query, key, value, backend))


@every_backend
def test_the_default_scale_is_the_root_of_the_width_of_the_query(backend: str) -> None:
    query, key, value = qkv()
    same(
        attend(query, key, value, backend),
        attend(query, key, value, backend, score=ScaledDot(3**-0.5)),
    )


@every_backend
def test_distances_do_not_know_the_origin_and_cosines_not_the_length(backend: str) -> None:
    query, key, value = qkv()
    distance = {"score": NegativeSquaredDistance()}
    same(attend(query + 2, key + 2, value, backend, **distance),
         attend(query, key, value, backend, **distance))  # fmt: skip
    cosine = {"score": Cosine(0.2)}
    lengths = torch.rand(9, 1, dtype=torch.float64) + 0.5
    same(attend(query * lengths, key * lengths, value, backend, **cosine),
         attend(query, key, value, backend, **cosine))  # fmt: skip


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny", "sdpa"])
def test_a_penalty_of_distance_counts_from_absolute_positions(backend: str) -> None:
    """The last queries of a long sequence are penalized as they were within it."""
    query, key, value = qkv()
    whole = attend(query, key, value, backend, Causal(), score_mod=ALiBi(4))
    late = attend(query[:, :, 6:], key, value, backend, Causal(), score_mod=ALiBi(4))
    same(late, whole[:, :, 6:])


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny"])
def test_sigmoid_weighs_each_key_on_its_own(backend: str) -> None:
    query, key, value = qkv()
    halves = [
        attend(query, key[:, :, s], value[:, :, s], backend, normalizer=sigmoid)
        for s in (slice(4), slice(4, 9))
    ]
    same(halves[0] + halves[1], attend(query, key, value, backend, normalizer=sigmoid))


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny"])
def test_softmax_one_is_softmax_with_a_key_of_nothing(backend: str) -> None:
    query, key, value = qkv()
    nothing = [torch.cat([x, torch.zeros_like(x[:, :, :1])], 2) for x in (key, value)]
    found = attend(query, key, value, backend, normalizer=softmax_one)
    same(found, attend(query, *nothing, backend, normalizer=softmax))


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny", "linear"])
@pytest.mark.parametrize("length", [9, 64, 130])
def test_linear_attention_is_a_running_sum(backend: str, length: int) -> None:
    query, key, value = qkv(length, length, kv_heads=4)
    parts = {"score": FeatureMapDot(torch.exp), "normalizer": divide_by_sum}
    found = attend(query, key, value, backend, Causal(), **parts)
    state, total = (
        torch.zeros(2, 4, 3, 5, dtype=torch.float64),
        torch.zeros(2, 4, 3, dtype=torch.float64),
    )
    for t in range(length):
        state = state + key[:, :, t].exp().unsqueeze(-1) * value[:, :, t].unsqueeze(-2)
        total = total + key[:, :, t].exp()
        wanted = (query[:, :, t].exp().unsqueeze(-2) @ state).squeeze(-2)
        wanted = wanted / (query[:, :, t].exp() * total).sum(-1, keepdim=True)
        assert_same({"it": found[:, :, t]}, {"it": wanted}, 1e-11)


@pytest.mark.parametrize("lengths", [(1, 9), (3, 70), (66, 200)])
def test_linear_attention_decodes_from_a_cache(lengths: tuple[int, int]) -> None:
    query, key, value = qkv(*lengths)
    parts = {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()}
    padded = torch.cat([torch.zeros(2, 4, lengths[1] - lengths[0], 3).double(), query], 2)
    whole = regard.attention(padded, key, value, **parts, backend="reference")
    found = regard.attention(query, key, value, **parts, backend="linear")
    assert_same({"it": found}, {"it": whole[:, :, -lengths[0] :]}, 1e-11)


@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny"])
def test_sparse_weights_sum_to_one_and_become_the_best_key_when_cold(backend: str) -> None:
    query, key, value = qkv(kv_heads=4)
    ones = torch.ones_like(value)
    same(attend(query, key, ones, backend, normalizer=sparsemax), torch.ones(2, 4, 9, 5).double())
    cold = attend(query, key, value, backend, normalizer=sparsemax, score=ScaledDot(1e5))
    assert torch.equal(cold, value.take_along_dim((query @ key.mT).argmax(-1, keepdim=True), 2))


@every_backend
def test_gradients_sum_over_shared_heads_and_stop_at_hidden_keys(backend: str) -> None:
    query, key, value = qkv(kv_heads=2)
    mask = Prefix(4) & EVERYTHING
    name = "chunked" if backend == "tiny" else backend
    found = evaluate(query, key, value, mask=mask, backend=name)
    for role in ("key", "value"):
        assert not found[f"gradient of {role}"][:, :, 4:].any()
        assert found[f"gradient of {role}"][:, :, :4].all()
