import numpy as np
import pytest
import torch
from einops import rearrange
from torch._subclasses import FakeTensorMode

from regard.positions import RoPE

LAYOUTS = [RoPE(), RoPE(interleaved=True), RoPE(width=4), RoPE(base=500.0, interleaved=True)]
every = pytest.mark.parametrize("rope", LAYOUTS, ids=str)


def by_hand(x: torch.Tensor, rope: RoPE, positions: torch.Tensor) -> torch.Tensor:
    """Pair by pair with complex numbers, in float64."""
    width = x.shape[-1] if rope.width is None else rope.width
    out = x.double().clone()
    for i in range(width // 2):
        a, b = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + width // 2)
        angle = positions.double() * rope.base ** (-2.0 * i / width)
        turned = torch.complex(x[..., a].double(), x[..., b].double()) * torch.exp(1j * angle)
        out[..., a], out[..., b] = turned.real, turned.imag
    return out


@every
@pytest.mark.parametrize("head_dim", [4, 6, 64])
def test_each_pair_is_turned_by_position_times_frequency(rope: RoPE, head_dim: int) -> None:
    x = torch.randn(2, 3, 5, head_dim, dtype=torch.float64)
    torch.testing.assert_close(rope(x), by_hand(x, rope, torch.arange(5)), rtol=0, atol=1e-13)


@every
def test_dot_products_depend_on_distance_only(rope: RoPE) -> None:
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)

    def score(q: int, k: int) -> torch.Tensor:
        return (rope(query, offset=q) * rope(key, offset=k)).sum()

    for shift in (1, 10, 1000):
        torch.testing.assert_close(score(7 + shift, 3 + shift), score(7, 3), rtol=0, atol=1e-10)
    assert (score(7, 3) - score(7, 4)).abs() > 1e-3
    assert (score(7, 3) - score(3, 7)).abs() > 1e-3


@every
def test_position_zero_and_lengths_are_unchanged(rope: RoPE) -> None:
    x = torch.randn(2, 3, 5, 8, dtype=torch.float64)
    turned = rope(x)
    assert torch.equal(turned[:, :, 0], x[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), rtol=0, atol=1e-12)


def test_half_and_interleaved_are_the_same_up_to_a_permutation() -> None:
    x = torch.randn(2, 3, 5, 8, dtype=torch.float64)
    reordered = rearrange(x, "... (pairs two) -> ... (two pairs)", two=2)
    half = rearrange(RoPE()(reordered), "... (two pairs) -> ... (pairs two)", two=2)
    torch.testing.assert_close(RoPE(interleaved=True)(x), half)
    assert not torch.allclose(RoPE()(x), RoPE(interleaved=True)(x))


@every
def test_a_part_of_the_sequence_with_its_offset_is_the_part_of_the_whole(rope: RoPE) -> None:
    x = torch.randn(2, 3, 9, 8)
    whole = rope(x)
    for start, stop in ((0, 3), (3, 5), (5, 9)):
        part = x[:, :, start:stop]
        torch.testing.assert_close(rope(part, offset=start), whole[:, :, start:stop])
        turned = rope(part, torch.arange(start, stop))
        torch.testing.assert_close(turned, whole[:, :, start:stop])


def test_positions_may_differ_between_sequences() -> None:
    x = torch.randn(2, 3, 4, 8)
    positions = torch.tensor([[0, 0, 1, 2], [0, 1, 2, 3]])
    turned = RoPE()(x, positions)
    for row in range(2):
        alone = RoPE()(x[row : row + 1], positions[row])
        torch.testing.assert_close(turned[row : row + 1], alone)


def test_the_rest_of_a_partial_width_is_untouched() -> None:
    x = torch.randn(2, 3, 5, 7)
    turned = RoPE(width=4)(x)
    assert torch.equal(turned[..., 4:], x[..., 4:])
    torch.testing.assert_close(turned[..., :4], RoPE()(x[..., :4].contiguous()))
    assert torch.equal(RoPE(width=0)(x), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_angles_stay_exact_in_a_half_precision_model(dtype: torch.dtype) -> None:
    x = torch.randn(1, 1, 4096, 64).to(dtype)
    turned = RoPE()(x)
    assert turned.dtype == dtype
    # Only the rounding of the result is left: phases in bfloat16 would be off by up to 2.
    exact = by_hand(x, RoPE(), torch.arange(4096))
    rounding = torch.finfo(dtype).eps
    assert ((turned.double() - exact).abs() <= 2 * rounding * exact.abs() + 3e-3).all()
    ones = torch.ones(1, 1, 4096, 2, dtype=torch.bfloat16)
    assert len(RoPE()(ones).unique(dim=2)[0, 0]) > 256


def test_there_is_nothing_a_cast_of_the_model_could_spoil() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rope = RoPE()

    model = Model().to(torch.bfloat16)
    x = torch.randn(1, 1, 4096, 8)
    assert torch.equal(model.rope(x), RoPE()(x))
    assert not list(model.buffers()) and not model.state_dict()


@every
def test_derivatives_agree_with_finite_differences(rope: RoPE) -> None:
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rope, x)
    assert torch.autograd.gradgradcheck(rope, x)


@pytest.mark.parametrize("shape", [(2, 3, 0, 8), (0, 3, 5, 8), (2, 3, 5, 0)])
def test_empty_input_gives_empty_output(shape: tuple[int, ...]) -> None:
    assert RoPE()(torch.zeros(shape)).shape == shape


def test_strides_do_not_matter_and_the_input_is_not_modified() -> None:
    x = torch.randn(2, 5, 3, 8).transpose(1, 2)
    before = x.clone()
    assert torch.equal(RoPE()(x), RoPE()(x.contiguous()))
    assert torch.equal(x, before)


def test_odd_and_excessive_widths_are_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match="head_dim is 7, which is odd; pass width=6"):
        RoPE()(torch.zeros(1, 1, 2, 7))
    with pytest.raises(ValueError, match="must be even.* got 5; pass width=4"):
        RoPE(width=5)
    with pytest.raises(ValueError, match="width=16, but head_dim is 8"):
        RoPE(width=16)(torch.zeros(1, 1, 2, 8))


def test_positions_and_offset_together_are_refused() -> None:
    with pytest.raises(ValueError, match="either positions or an offset"):
        RoPE()(torch.zeros(1, 1, 2, 8), torch.arange(2), offset=3)


@pytest.mark.parametrize("base", [0.0, -1.0, float("inf")])
def test_a_base_without_a_meaning_is_refused(base: float) -> None:
    with pytest.raises(ValueError, match=f"RoPE needs 0 < base < inf, got {base:g}"):
        RoPE(base=base)


def by_numpy(x: torch.Tensor, positions: np.ndarray) -> np.ndarray:
    """The two halves turned, in NumPy and float64; `positions` broadcast to [batch, 1, length]."""
    half = x.shape[-1] // 2
    angle = positions[..., None] * 10000.0 ** (-np.arange(half) / half)
    a, b = np.split(x.double().numpy(), 2, axis=-1)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


@pytest.mark.parametrize("start", [0, 10**3, 10**5, 10**6 - 8, 10**6, 2**31])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_far_positions_are_as_exact_as_the_precision_allows(start: int, dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 16, 64).to(dtype)
    exact = by_numpy(x, start + np.arange(16))
    bound = 4 * torch.finfo(dtype).eps * np.abs(x.double().numpy()).max()
    bound = max(bound, 1e-9) if dtype != torch.float64 else 1e-5 if start > 10**6 else 1e-8
    for turned in (
        RoPE()(x, offset=start),
        RoPE()(x, start + torch.arange(16)),
        RoPE()(x, (start + torch.arange(16)).expand(2, -1)),
    ):
        assert turned.dtype == dtype
        assert np.abs(turned.double().numpy() - exact).max() <= bound


def test_rows_may_stand_at_far_positions_of_their_own() -> None:
    x = torch.randn(3, 2, 5, 32)
    positions = torch.tensor([[0], [10**6], [77_777]]) + torch.arange(5)
    exact = by_numpy(x, positions.numpy()[:, None])
    assert np.abs(RoPE()(x, positions).numpy() - exact).max() < 1e-6
    for kind in (torch.int32, torch.int16):
        near = torch.arange(5, dtype=kind)
        assert torch.equal(RoPE()(x, near), RoPE()(x))


def test_it_maps_over_a_batch_and_differentiates_twice() -> None:
    x = torch.randn(4, 2, 3, 5, 8)
    assert torch.equal(torch.func.vmap(RoPE())(x), RoPE()(x.flatten(0, 1)).unflatten(0, (4, 2)))
    positions = torch.randint(0, 10**6, (4, 5))
    rows = torch.func.vmap(RoPE())(x, positions)
    for row in range(4):
        assert torch.equal(rows[row], RoPE()(x[row], positions[row]))
    grad = torch.func.grad(lambda x: RoPE()(x).square().sum())(x[0])
    torch.testing.assert_close(grad, 2 * x[0])


def test_it_needs_neither_numbers_nor_a_default_device() -> None:
    assert RoPE()(torch.empty(2, 3, 5, 8, device="meta")).is_meta
    with FakeTensorMode():
        assert RoPE()(torch.empty(2, 3, 5, 8)).shape == (2, 3, 5, 8)
    x = torch.randn(2, 3, 5, 8)
    with torch.device("meta"):
        turned = RoPE()(x)
    assert torch.equal(turned, RoPE()(x))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numpys_integers_are_numbers(kind: type) -> None:
    x = torch.randn(1, 1, 3, 8)
    assert RoPE(width=kind(4)) == RoPE(width=4)
    assert torch.equal(RoPE(width=kind(4))(x, offset=kind(7)), RoPE(width=4)(x, offset=7))
    assert RoPE(base=np.float32(500.0)) == RoPE(base=500)


@pytest.mark.usefixtures("as_users_have_it")
def test_booleans_and_fractions_are_not() -> None:
    for width in (True, np.True_, 4.0, "4"):
        with pytest.raises(TypeError, match="RoPE needs width to be an int"):
            RoPE(width=width)
    with pytest.raises(TypeError, match="RoPE needs offset to be an int"):
        RoPE()(torch.zeros(1, 1, 2, 8), offset=True)


@pytest.mark.usefixtures("as_users_have_it")
def test_a_base_may_be_learned() -> None:
    base = torch.nn.Parameter(torch.tensor(100.0, dtype=torch.float64))
    x = torch.randn(1, 1, 3, 8, dtype=torch.float64)
    torch.testing.assert_close(RoPE(base=base)(x), RoPE(base=100.0)(x))
    RoPE(base=base)(x).square()[..., :2].sum().backward()
    assert base.grad != 0


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace", "error::torch.jit.TracerWarning")
@pytest.mark.parametrize("rope", LAYOUTS, ids=str)
def test_a_traced_function_turns_every_length(rope: RoPE) -> None:
    traced = torch.jit.trace(lambda x: rope(x), torch.randn(2, 3, 5, 8))
    x = torch.randn(4, 1, 9, 8)
    assert torch.equal(traced(x), rope(x))
