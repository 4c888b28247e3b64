"""BCNN and the three ABCNNs are those of the paper, and padding does not exist for them."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.models.abcnn import ABCNN
from regard.sequences import Sequences
from tests.models.abcnn.small import KINDS, LEFT, RIGHT, config, ragged_pairs, small_model

Matrix = np.ndarray


def by_the_book(
    model: ABCNN, left: list[int], right: list[int], eps: tuple[float, float] = (0.0, 0.0)
) -> tuple[Matrix, Matrix]:
    """Logits and first attention matrix of one pair: the equations, column by column, in NumPy."""
    p = {name: w.detach().numpy() for name, w in model.state_dict().items()}
    kind, w = model.config.attention, model.config.width

    def match(x: Matrix, y: Matrix, eps: float) -> float:
        return 1 / (1 + np.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) + eps))

    def matrix(f: list[Matrix], g: list[Matrix]) -> Matrix:
        return np.array([[match(x, y, eps[0]) for y in g] for x in f])

    def similarities(x: Matrix, y: Matrix) -> list[float]:
        return [x @ y / np.sqrt((x @ x) * (y @ y)), match(x, y, eps[1])]

    def convolved(f: list[Matrix], filters: Matrix, bias: Matrix) -> list[Matrix]:
        padded = [np.zeros_like(f[0])] * (w - 1) + f + [np.zeros_like(f[0])] * (w - 1)
        columns = []
        for start in range(len(f) + w - 1):
            total = bias.copy()
            for tap in range(w):
                total = total + filters[:, :, tap] @ padded[start + tap]
            columns.append(np.tanh(total))
        return columns

    f, g = ([p["embedding.weight"][token] for token in side] for side in (left, right))
    words = matrix(f, g)
    features = similarities(sum(f) / len(f), sum(g) / len(g))
    for layer in range(model.config.layers):
        block = f"blocks.{layer}."
        if kind in ("input", "both"):
            a, w0, w1 = matrix(f, g), p[block + "left_places"].T, p[block + "right_places"].T
            f_a, g_a = w0[:, : len(g)] @ a.T, w1[:, : len(f)] @ a
            f = [np.concatenate([x, f_a[:, i]]) for i, x in enumerate(f)]
            g = [np.concatenate([y, g_a[:, j]]) for j, y in enumerate(g)]
        f, g = (convolved(side, p[block + "filters"], p[block + "bias"]) for side in (f, g))
        if kind in ("pooling", "both"):
            a = matrix(f, g)
            f = [a[i, :].sum() * x for i, x in enumerate(f)]
            g = [a[:, j].sum() * y for j, y in enumerate(g)]
            features += similarities(sum(f), sum(g))
            share = 1.0
            if layer == 0 and kind == "pooling":
                sums = [a[k : k + len(left), k : k + len(right)] for k in range(w)]
                words = sum(sums) / w
        else:
            features += similarities(sum(f) / len(f), sum(g) / len(g))
            share = 1 / w
        f, g = ([share * sum(x[j : j + w]) for j in range(len(x) - w + 1)] for x in (f, g))
    # The similarities come ten times as large to the logistic layer.
    return p["output.weight"] @ (10 * np.array(features)) + p["output.bias"], words


def alone(side: Sequences, row: int) -> Sequences:
    """One row of a side, without padding."""
    return Sequences(side.ids[row : row + 1, : int(side.counts[row])])


@pytest.mark.parametrize("places", ["shared", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_attention_are_those_of_the_equations(kind: str, places: str) -> None:
    model, (left, right) = small_model(kind, places=places), ragged_pairs()
    logits = model(left, right).detach()
    shares = model.attention_weights(left, right).mT
    for row, (m, n) in enumerate(zip(LEFT, RIGHT, strict=True)):
        sides = left.ids[row, :m].tolist(), right.ids[row, :n].tolist()
        wanted, matrix = by_the_book(model, *sides)
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(shares[row, :m, :n], matrix / matrix.sum(0), atol=1e-10)
        assert not shares[row, m:].any() and not shares[row, :, n:].any()


def test_the_official_variant_keeps_equal_words_apart_by_a_hair() -> None:
    model, (left, right) = small_model("both", variant="official"), ragged_pairs()
    logits = model(left, right).detach()
    sides = left.ids[0].tolist(), right.ids[0, :3].tolist()
    wanted, _ = by_the_book(model, *sides, (1e-10, 1e-20))
    np.testing.assert_allclose(logits[0], wanted, rtol=0, atol=1e-10)
    assert not torch.equal(small_model("both")(left, right), logits)


@pytest.mark.parametrize("similarity", ["cosine", "distance"])
def test_the_last_layer_reads_the_similarity_that_was_asked_for(similarity: str) -> None:
    both = small_model("pooling")
    one = small_model("pooling", similarity=similarity)
    weights = both.state_dict()
    offset = ("cosine", "distance").index(similarity)
    dropped = weights["output.weight"].clone()
    dropped[:, 1 - offset :: 2] = 0.0
    one.load_state_dict(weights | {"output.weight": weights["output.weight"][:, offset::2]})
    both.load_state_dict(weights | {"output.weight": dropped})
    pairs = ragged_pairs()
    torch.testing.assert_close(one(*pairs), both(*pairs), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_swapping_the_sides_changes_nothing_where_both_have_the_same_weights(kind: str) -> None:
    model, (left, right) = small_model(kind), ragged_pairs()
    torch.testing.assert_close(model(left, right), model(right, left), rtol=0, atol=1e-12)


def test_attention_lets_one_sentence_change_how_the_other_is_read() -> None:
    for kind in KINDS:
        model, (left, right) = small_model(kind), ragged_pairs()
        one, other = alone(left, 0), alone(right, 0)
        pair = model.embed(one), model.embed(other)
        changed = model.embed(Sequences(other.ids + 1))
        before, after = model.blocks[0](*pair)[2], model.blocks[0](pair[0], changed)[2]
        assert torch.equal(before, after) == (kind == "none")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [[[4, 5]], [[4]]])
def test_a_sentence_beside_itself_has_finite_gradients(kind: str, tokens: list[Any]) -> None:
    model, same = small_model(kind), Sequences(torch.tensor(tokens))
    model(same, same).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_sentence_gives_finite_answers_and_gradients(kind: str) -> None:
    model, (left, right) = small_model(kind), ragged_pairs()
    left = Sequences(left.ids, left.counts.index_fill(0, torch.tensor([2, 4]), 0))
    right = Sequences(right.ids, right.counts.index_fill(0, torch.tensor([3, 4]), 0))
    logits = model(left, right)
    logits.sum().backward()
    assert logits.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert not model.attention_weights(left, right)[2].any()


def test_a_sentence_longer_than_the_places_is_refused_with_both_numbers() -> None:
    long, short = (Sequences(torch.full((1, length), 5)) for length in (8, 2))
    for pair in ((long, short), (short, long)):
        with pytest.raises(ValueError, match="has 8 tokens, but max_length is 7"):
            small_model("input")(*pair)
        assert small_model("pooling")(*pair).isfinite().all()


def test_only_attention_at_the_input_has_weights_of_its_own() -> None:
    def names(kind: str, places: str) -> set[str]:
        return {name for name, _ in ABCNN(config(kind, places=places)).named_parameters()}

    for places, sides in (("shared", ["left"]), ("own", ["left", "right"])):
        wanted = {f"blocks.{n}.{side}_places" for n in (0, 1) for side in sides}
        plain = names("none", places)
        assert names("pooling", places) == plain
        assert names("input", places) - plain == names("both", places) - plain == wanted
