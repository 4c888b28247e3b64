"""Tokens and positions are added, wherever the first token stands and however they are packed."""

import pytest
import torch
from torch import Tensor

from regard.layers import TokenEmbedding
from regard.positions import Learned, Sinusoidal, sinusoidal
from regard.sequences import Packed, Sequences

POSITIONS = {
    "none": lambda: None,
    "sinusoidal": Sinusoidal,
    "official": lambda: Sinusoidal("official", base=500.0),
    "learned": lambda: Learned(12, 6),
}
every = pytest.mark.parametrize("positions", POSITIONS)


def made(positions: str, **options: float) -> TokenEmbedding:
    torch.manual_seed(0)
    return TokenEmbedding(9, 6, positions=POSITIONS[positions](), **options).double()


def vectors(embedding: TokenEmbedding, length: int) -> Tensor:
    """What is added at each position, from the definition."""
    if embedding.learned is not None:
        return embedding.learned.weight[:length].detach()
    if embedding.sinusoidal is None:
        return torch.zeros(length, 6, dtype=torch.float64)
    kind = embedding.sinusoidal
    return sinusoidal(length, 6, variant=kind.variant, base=kind.base).double()


@every
@pytest.mark.parametrize("scale", [1.0, 6**0.5])
def test_it_is_the_sum_of_scaled_token_and_position(positions: str, scale: float) -> None:
    embedding, tokens = made(positions, scale=scale), torch.randint(9, (3, 7))
    wanted = scale * embedding.tokens.weight[tokens] + vectors(embedding, 7)
    torch.testing.assert_close(embedding(tokens), wanted, rtol=0, atol=1e-12)


@every
def test_an_offset_continues_where_the_tokens_before_ended(positions: str) -> None:
    embedding, tokens = made(positions, scale=2.0), torch.randint(9, (2, 12))
    pieces = [embedding(tokens[:, start : start + 5], offset=start) for start in (0, 5, 10)]
    assert torch.equal(torch.cat(pieces, 1), embedding(tokens))


@every
def test_packed_sequences_begin_anew(positions: str) -> None:
    embedding = made(positions, scale=2.0)
    padded = Sequences.of([[3, 4, 5, 6], [7], [], [8, 1]])
    packed = Packed.of(padded)
    assert torch.equal(embedding.read(packed)[0], embedding.read(padded)[padded.real])
    assert torch.equal(embedding.read(padded), embedding(padded.ids))


@every
def test_every_weight_learns_and_dropout_is_the_last_step(positions: str) -> None:
    embedding, tokens = made(positions, dropout=0.5), torch.arange(9).unsqueeze(0)
    torch.manual_seed(1)
    found = embedding(tokens)
    assert 0 < (found == 0).double().mean() < 1
    kept = found != 0
    torch.testing.assert_close(found[kept], 2 * embedding.eval()(tokens)[kept])
    found.square().sum().backward()
    for weight in embedding.parameters():
        assert weight.grad is not None and weight.grad.any()


def test_it_starts_with_vectors_of_length_one_and_names_the_weights_of_saved_runs() -> None:
    embedding = TokenEmbedding(4000, 64, positions=Learned(12, 64))
    length = embedding.tokens.weight.square().sum(1).mean()
    assert float(length.detach()) == pytest.approx(1.0, abs=0.02)
    assert list(embedding.state_dict()) == ["tokens.weight", "learned.weight"]


def test_sinusoids_are_kept_and_follow_dtype_and_length() -> None:
    positions, x = Sinusoidal(), torch.zeros(1, 3, 6)
    positions(x)
    kept = positions.kept
    positions(x, offset=253)
    assert positions.kept is kept
    positions(x, offset=254)
    assert positions.kept is not kept and positions.kept.shape == (512, 6)
    assert torch.equal(positions(x, offset=254), sinusoidal(3, 6, offset=254))
    assert positions(x.bfloat16()).dtype == torch.bfloat16
    assert torch.equal(positions(x[..., :5]), sinusoidal(3, 5))


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="learned positions have width 5 and the tokens 6: give"):
        TokenEmbedding(9, 6, positions=Learned(12, 5))
    with pytest.raises(ValueError, match="13 positions are needed, but max_length is 12"):
        made("learned")(torch.zeros(1, 13, dtype=torch.long))
    with pytest.raises(ValueError, match="needs vocab >= 1, got 0"):
        TokenEmbedding(0, 6)
