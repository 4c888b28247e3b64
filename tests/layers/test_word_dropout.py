"""Words become unknown ones at random while training, and only then."""

import pytest
import torch

from regard.layers import WordDropout


def test_a_share_of_the_words_becomes_unknown_while_training() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(2, 9, (200, 100))
    layer = WordDropout(0.3, unknown=1)
    found = layer(tokens)
    lost = found == 1
    assert torch.equal(found[~lost], tokens[~lost])
    assert float(lost.double().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(layer.eval()(tokens), tokens)
    assert torch.equal(WordDropout(0.0, unknown=1)(tokens), tokens)


def test_the_draw_is_that_of_the_seed() -> None:
    tokens = torch.randint(2, 9, (5, 7))
    torch.manual_seed(3)
    found = WordDropout(0.5, unknown=0)(tokens)
    torch.manual_seed(3)
    assert torch.equal(found, tokens.masked_fill(torch.rand(tokens.shape) < 0.5, 0))


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (1, 1)])
def test_any_shape_of_tokens_is_read(shape: tuple[int, ...]) -> None:
    assert WordDropout(0.9, unknown=1)(torch.zeros(shape, dtype=torch.long)).shape == shape


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_a_probability_that_is_none_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match=f"at least 0 and below 1, got {probability}"):
        WordDropout(probability, unknown=1)
