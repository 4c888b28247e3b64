"""Codes of weights: what is read back is as near as the page says, and zeros stay zeros."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.view.base91 import ALPHABET, read, written
from regard.view.blocks import Blocks, inflated
from regard.view.codes import LEVELS, bits_of, decode, encode
from regard.view.pooled import edges, largest, pool, pool_most


def softmax(rows: int, keys: int, sharp: float, seed: int = 0) -> np.ndarray:
    scores = sharp * np.random.default_rng(seed).standard_normal((3, rows, keys))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("sharp", [0.0, 1.0, 10.0, 100.0])
def test_no_weight_is_further_off_than_is_said(levels: int, sharp: float) -> None:
    weights = softmax(40, 50, sharp)
    codes = encode(weights, levels)
    assert np.abs(decode(codes) - weights).max() <= codes.error * (1 + 1e-5)


@given(
    arrays(np.float32, (2, 3, 4), elements=st.floats(-5, 5, width=32)),
    st.sampled_from(LEVELS),
)
def test_signed_weights_keep_their_signs_and_their_error(weights: np.ndarray, levels: int) -> None:
    codes = encode(weights, levels)
    read = decode(codes)
    assert np.abs(read - weights).max() <= codes.error * (1 + 1e-4) + 1e-7
    assert not (np.sign(read) * np.sign(weights) < 0).any()


def test_the_error_is_reached_and_not_only_allowed() -> None:
    steps = np.linspace(0, 1, 5001, dtype=np.float32)[None, None]
    codes = encode(steps)
    assert np.abs(decode(codes) - steps).max() > 0.95 * codes.error


def test_zero_and_the_largest_weight_are_exact() -> None:
    weights = np.array([[[0.0, 0.7, 0.3]], [[0.0, 0.0, 0.0]]], dtype=np.float32)
    read = decode(encode(weights))
    assert read[0, 0, 0] == 0 and not read[1].any()
    assert read[0, 0, 1] == pytest.approx(0.7, abs=1e-6)


def test_what_is_not_finite_weighs_nothing() -> None:
    weights = np.array([[[np.nan, np.inf, 0.5, -np.inf]]], dtype=np.float32)
    assert decode(encode(weights)).round(2).tolist() == [[[0.0, 0.0, 0.5, 0.0]]]


def test_what_is_said_of_the_size_is_what_it_takes() -> None:
    weights = softmax(256, 256, 2.0)
    for levels, bits in zip(LEVELS, bits_of(weights[:, ::16]), strict=True):
        blocks = Blocks()
        blocks.add(encode(weights, levels).codes)
        assert blocks.size == pytest.approx(weights.size * bits / 8 * 16 / 13, rel=0.12)


@given(st.binary(max_size=200))
def test_bytes_come_back_from_their_text(content: bytes) -> None:
    text = written(content)
    assert read(text) == content
    assert set(text.encode()) <= set(ALPHABET) and not set("<>&") & set(text)


def test_blocks_give_back_their_arrays() -> None:
    blocks, array = Blocks(), np.arange(500, dtype=np.uint16)
    assert blocks.add(array) == 0
    half = blocks.add_half(np.array([[1.5, -2e5]], dtype=np.float32))
    first, second = (inflated(text) for text in blocks)
    assert np.array_equal(np.frombuffer(first, np.uint16), array)
    read = np.frombuffer(second, np.float16).astype(np.float32) * half["factor"]
    np.testing.assert_allclose(read, [1.5, -2e5], rtol=2e-3)
    size = blocks.size
    blocks.take_back(1)
    assert len(blocks) == 1 and blocks.size < size


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (128, 128), (300, 129)])
def test_an_overview_has_the_largest_and_the_mean_of_each_tile(shape: tuple[int, int]) -> None:
    weights = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    overview = pool(weights)
    rows, columns = (edges(n, 128).tolist() + [n] for n in shape)
    for r in range(len(rows) - 1):
        for c in range(0, len(columns) - 1, 17):
            tile = weights[:, rows[r] : rows[r + 1], columns[c] : columns[c + 1]]
            np.testing.assert_array_equal(overview.most[:, r, c], tile.max((1, 2)))
            np.testing.assert_allclose(overview.mean[:, r, c], tile.mean((1, 2)), rtol=1e-5)
    assert pool_most(weights, 4).max() == weights.max()


def test_the_largest_weights_of_a_row_come_first() -> None:
    weights = np.random.default_rng(0).random((2, 5, 40), dtype=np.float32)
    found, values = largest(weights, 3)
    order = np.argsort(-weights, axis=-1)[..., :3]
    np.testing.assert_array_equal(found, order)
    np.testing.assert_array_equal(values, np.take_along_axis(weights, order, -1))
