"""The reference is the definition: it equals the formula written out in NumPy, to 1e-12."""

import numpy as np
import pytest
import torch

import regard
from regard import normalizers, scores
from tests import golden
from tests.one_by_one import all_in_one
from tests.parts import (
    MASKS_AND_MODS,
    NORMALIZERS,
    SCORES,
    Sizes,
    mask_and_rule,
    mod_and_rule,
    suits,
    tensors,
)
from tests.tolerance import assert_close_to_golden

MEANT = [name for name, make in NORMALIZERS.items() if make(Sizes())[1] is not None]
OFFSETS = [None, 0, 3, -2]


def check(
    sizes: Sizes,
    score: str = "ScaledDot",
    normalizer: str = "softmax",
    mod: str | None = None,
    mask: str | None = None,
    q_offset: int | None = None,
    backend: str | None = "reference",
) -> None:
    offset = sizes.k_len - sizes.q_len if q_offset is None else q_offset
    score_part, score_rule = SCORES[score](sizes)
    normalizer_part, normalize = NORMALIZERS[normalizer](sizes)
    mod_part, mod_rule = mod_and_rule(mod, sizes, offset) if mod else (None, None)
    mask_part, mask_rule = mask_and_rule(mask, sizes, offset) if mask else (None, None)
    query, key, value = tensors(sizes)
    parts = {
        "score": score_part, "score_mod": mod_part, "mask": mask_part,
        "normalizer": normalizer_part, "q_offset": q_offset,
    }  # fmt: skip
    wanted, wanted_weights = golden.attend(
        query.numpy(), key.numpy(), value.numpy(),
        score_rule, normalize, mod_rule, mask_rule, offset,
    )  # fmt: skip
    with torch.no_grad():
        output = regard.attention(query, key, value, **parts, backend=backend)
        weights = regard.attention_weights(query, key, **parts)
    wanted, wanted_weights = torch.from_numpy(wanted), torch.from_numpy(wanted_weights)
    assert_close_to_golden(output, wanted, output, what="output")
    assert_close_to_golden(weights, wanted_weights, weights, what="weights")
    assert torch.equal(weights == 0, wanted_weights == 0), "weights are zero elsewhere"


def test_every_score_and_normalizer_of_the_shop_window_is_in_the_tables() -> None:
    assert {name.split()[0] for name in SCORES} | {"elu_plus_one"} == set(scores.__all__)
    assert {name.split()[0] for name in NORMALIZERS} == set(normalizers.__all__)


@all_in_one("normalizer", MEANT)
@pytest.mark.parametrize("score", SCORES)
def test_the_reference_equals_the_formula_for_every_score_and_normalizer(
    score: str, normalizer: str
) -> None:
    if suits(score, normalizer):
        check(Sizes(2, 4, 2, 2, 5, 3, 1), score, normalizer, mask="Dense")


@all_in_one(("mask", "mod"), MASKS_AND_MODS)
def test_the_reference_equals_the_formula_for_every_mask_and_score_mod(
    mask: str | None, mod: str | None
) -> None:
    offset = OFFSETS[len(f"{mask}{mod}") % 4]
    if offset == -2 and mask in ("Document", "Document shared"):
        offset = 1  # there is no document before the first
    check(Sizes(2, 4, 2, 3, 5, 2, 3), mask=mask, mod=mod, q_offset=offset)


@all_in_one("normalizer", MEANT)
@pytest.mark.parametrize("mask", ["Causal", "Padding lengths", "Dense 3-d", "Not"])
def test_the_reference_equals_the_formula_for_every_mask_and_normalizer(
    mask: str, normalizer: str
) -> None:
    check(Sizes(2, 2, 1, 5, 3), "FeatureMapDot", normalizer, mod="SoftCap", mask=mask)


@pytest.mark.parametrize("sizes", [(2, 6, 1), (1, 6, 2), (3, 6, 3), (2, 2, 2), (1, 1, 1)], ids=str)
def test_grouped_heads_meet_as_the_formula_says(sizes: tuple[int, int, int]) -> None:
    check(Sizes(*sizes, q_len=4, k_len=4), mod="Bias", mask="Dense 3-d")


@pytest.mark.parametrize("q_len", [0, 1, 3])
@pytest.mark.parametrize("k_len", [0, 1, 3])
def test_short_and_empty_lengths_follow_the_formula(q_len: int, k_len: int) -> None:
    for normalizer in MEANT:
        check(Sizes(1, 2, 1, q_len, k_len), "FeatureMapDot", normalizer, mask="Causal")


def test_the_formula_itself_gives_a_known_answer() -> None:
    query, key = np.array([[[[1.0, 0.0]]]]), np.array([[[[0.0, 9.0], [np.log(3), 9.0]]]])
    value = np.array([[[[4.0], [8.0]]]])
    output, weights = golden.attend(
        query, key, value, lambda q, k: k @ q, lambda s, at, seen: golden.softmax(s)
    )
    np.testing.assert_allclose(weights[0, 0, 0], [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(output[0, 0, 0], [7.0], rtol=1e-15)
