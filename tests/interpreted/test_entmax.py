"""Sparse attention by Triton's interpreter: the definition's numbers, and what it refuses."""

from typing import Any

import pytest
import torch

import regard
from regard.errors import UnsupportedByBackend
from regard.masks import Block, Causal, Dense, Document, Padding, SlidingWindow
from regard.normalizers import Entmax, sigmoid, sparsemax
from regard.score_mods import ALiBi, Bias, SoftCap
from regard.scores import Additive, Bilinear, Cosine, NegativeSquaredDistance, ScaledDot
from tests.interpreted.compared import compare, draw, slow
from tests.probe import evaluate

MASKS: dict[str, dict[str, Any]] = {
    "causal": {"mask": Causal()},
    "window": {"mask": SlidingWindow(4, 2)},
    "padding": {"mask": Padding(torch.tensor([11, 0]))},
    "documents": {"mask": Causal() & Document(torch.tensor([3] * 4 + [1] * 5 + [8] * 2))},
    "block": {"mask": Block(4)},
    "dense": {"mask": Dense(torch.arange(2 * 7 * 11).view(2, 1, 7, 11) % 4 > 0) & Causal()},
    "before": {"mask": Causal(), "q_offset": -3},
    "bias": {"mask": Causal(), "score_mod": ALiBi(2)},
}


@pytest.mark.parametrize("alpha", [1.1, 1.5, 1.8, 2.0])
@pytest.mark.parametrize("std", [1.0, slow(0.01), slow(5.0)])
def test_every_alpha_equals_the_definition(alpha: float, std: float) -> None:
    normalizer = sparsemax if alpha == 2.0 else Entmax(alpha)
    inputs = draw(1, 1, 6, queries=9, keys=70, std=std)
    # Where alpha is no simple fraction, a power of a float32 is what it is on either side.
    least = 3e-6 * max(1.0, std**2) if alpha in (1.1, 1.8) else 0.0
    compare(inputs, least=least, normalizer=normalizer, mask=SlidingWindow(60, 3))


@pytest.mark.parametrize("parts", MASKS.values(), ids=MASKS)
def test_masks_equal_the_definition(parts: dict[str, Any]) -> None:
    compare(draw(2, 1, 6, queries=7, keys=11), normalizer=Entmax(), **parts)


@pytest.mark.parametrize(
    "score", [Cosine(0.2), Bilinear(6, 6), NegativeSquaredDistance(), ScaledDot(-0.3)], ids=str
)
def test_dot_products_in_disguise_equal_the_definition(score: Any) -> None:
    compare(draw(1, 2, 6, queries=5, keys=9), score=score, normalizer=sparsemax)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (2, 129, 3, 1), slow((33, 1, 64, 21)), (65, 66, 1, 17)]
)
def test_lengths_and_widths_equal_the_definition(sizes: tuple[int, int, int, int]) -> None:
    queries, keys, width, value_dim = sizes
    inputs = draw(1, 1, width, queries=queries, keys=keys, value_dim=value_dim, groups=1)
    compare(inputs, normalizer=Entmax(), mask=SlidingWindow(50, 9))


@pytest.mark.parametrize("reach", [slow((0, 0)), (0, 1), slow((3, 33)), (33, 0)])
def test_blocks_end_where_the_reach_does(reach: tuple[int, int]) -> None:
    # The last key of some block of queries is the first of a block of keys, and beside it.
    inputs, mask = draw(1, 1, 2, queries=80, keys=81, groups=1), SlidingWindow(*reach)
    compare(inputs, normalizer=sparsemax, mask=mask, q_offset=0)


@pytest.mark.parametrize("kind", ["one key", "equal keys", "far from zero"])
def test_hard_rows_equal_the_definition(kind: str) -> None:
    inputs = draw(1, 1, 6, queries=5, keys=80)  # two blocks of keys
    if kind == "one key":
        inputs[1][:, :, 77] *= 50
    elif kind == "equal keys":
        inputs[1][:] = inputs[1][:, :, :1]
    else:
        inputs[1] += 100
    for normalizer in (Entmax(), sparsemax):
        compare(inputs, normalizer=normalizer)


@pytest.mark.parametrize("dtype", [slow(torch.float16), torch.bfloat16])
def test_half_precision_is_float32_inside(dtype: torch.dtype) -> None:
    compare(draw(1, 1, 16, queries=70, keys=70), dtype, normalizer=Entmax(), mask=Causal())


def test_what_a_mask_hides_never_comes_out() -> None:
    inputs = draw(2, 1, 4, queries=3, keys=6)
    parts: dict[str, Any] = {"normalizer": Entmax(), "backend": "triton"}
    parts["mask"] = Padding(torch.tensor([4, 0]))
    clean = evaluate(*inputs, **parts)
    inputs[1][0, :, 4:], inputs[2][1] = torch.nan, torch.inf
    for name, one in evaluate(*inputs, **parts).items():
        assert torch.equal(one, clean[name]), name
    assert not clean["output"][1].any() and not clean["gradient of query"][1].any()


def test_a_number_that_is_none_comes_out() -> None:
    inputs = draw(1, 1, 4, queries=3, keys=200)
    inputs[1][0, 0, 150, 1] = torch.nan
    output = regard.attention(*inputs, normalizer=Entmax(), backend="triton")
    assert output.isnan().all()


def test_a_gradient_has_a_gradient() -> None:
    inputs = [x.requires_grad_() for x in draw(1, 1, 3, queries=3, keys=5)]
    found = []
    for backend in ("triton", "chunked"):
        output = regard.attention(*inputs, normalizer=Entmax(), mask=Causal(), backend=backend)
        first = torch.autograd.grad(output.sin().sum(), inputs, create_graph=True)
        found.append(torch.autograd.grad(sum(x.square().sum() for x in first), inputs))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_graph_holds_one_operator_for_every_length() -> None:
    def attend(*inputs: torch.Tensor) -> torch.Tensor:
        parts: dict[str, Any] = {"normalizer": sparsemax, "mask": Causal()}
        return regard.attention(*inputs, **parts, backend="triton")

    compiled = torch.compile(attend, fullgraph=True, dynamic=True, backend="aot_eager")
    for length in (5, 40):
        leaves = [x.requires_grad_() for x in draw(1, 1, 4, queries=length, keys=length + 2)]
        found, wanted = compiled(*leaves), attend(*leaves)
        torch.testing.assert_close(found, wanted)
        for one, other in zip(
            torch.autograd.grad(found.sin().sum(), leaves),
            torch.autograd.grad(wanted.sin().sum(), leaves),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"normalizer": sigmoid}, "not by sigmoid"),
        ({"normalizer": Entmax(2.5)}, "alpha from 1 to 2"),
        ({"score": Additive()}, "additive scores by softmax, not by sparsemax"),
        ({"score_mod": SoftCap(2.0)}, "more than add a bias"),
        ({"score_mod": Bias(torch.zeros(3, 5, requires_grad=True))}, "no gradient to what"),
        ({"dropout": 0.5}, "no dropout"),
    ],
)
def test_what_it_does_not_serve_is_said(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedByBackend, match=reason):
        inputs = draw(1, 1, 3, queries=3, keys=5)
        regard.attention(*inputs, backend="triton", **{"normalizer": sparsemax, **parts})


def test_vectors_that_are_too_wide_are_refused_with_both_numbers() -> None:
    with pytest.raises(UnsupportedByBackend, match="up to 256 numbers, not of 257"):
        inputs = draw(1, 1, 257, queries=3, keys=5)
        regard.attention(*inputs, normalizer=sparsemax, backend="triton")
