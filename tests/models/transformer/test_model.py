"""The Transformer is the network of the paper, and padding does not exist for it."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.generation import Decoder, take
from regard.generation.state import rows_of_beams, rows_of_sources
from regard.layers import Attend
from regard.masks import SlidingWindow
from regard.models.transformer import Transformer
from regard.normalizers import Entmax, softmax_one, sparsemax
from regard.positions import sinusoidal
from regard.score_mods import ALiBi
from regard.scores import Additive, Bilinear, Cosine, NegativeSquaredDistance
from regard.sequences import Sequences
from tests.models.transformer.small import (
    CLASSIFIER,
    CONFIG,
    LENGTHS,
    LM,
    alone,
    changed,
    ragged_batch,
    small_model,
)


def copy_attention(theirs: nn.MultiheadAttention, ours: Any) -> None:
    layer = ours.heads
    if hasattr(layer.input, "weight"):
        theirs.in_proj_weight.copy_(layer.input.weight)
        theirs.in_proj_bias.copy_(layer.input.bias)
    else:
        query, both = layer.input.query_input, layer.input.key_value_input
        theirs.in_proj_weight.copy_(torch.cat([query.weight, both.weight]))
        theirs.in_proj_bias.copy_(torch.cat([query.bias, both.bias]))
    theirs.out_proj.load_state_dict(layer.output.state_dict())


@torch.no_grad()
def by_torch(model: Transformer, read: Sequences, target: Tensor) -> Tensor:
    """The logits as torch's own layers compute them from the same weights."""
    source, lengths, c = read.ids, read.counts, model.config
    first = c.norm == "pre"
    options = {"dropout": 0.0, "batch_first": True, "norm_first": first, "dtype": torch.float64}
    options["activation"] = c.activation
    shape = (c.embed_dim, c.num_heads, c.ff_dim)
    e = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(*shape, **options),
        c.layers,
        norm=model.encoder_norm if first else None,
        enable_nested_tensor=False,
    )
    d = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(*shape, **options),
        c.decoder_layers,
        norm=model.decoder_norm if first else None,
    )
    for theirs, ours in (*zip(e.layers, model.encoder), *zip(d.layers, model.decoder)):  # noqa: B905
        copy_attention(theirs.self_attn, ours.attention)
        theirs.linear1.load_state_dict(ours.feed_forward.hidden.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.output.state_dict())
        norms = [ours.attention_residual.norm, ours.feed_forward_residual.norm]
        if hasattr(theirs, "multihead_attn"):
            copy_attention(theirs.multihead_attn, ours.cross_attention)
            norms.insert(1, ours.cross_residual.norm)
        for number, norm in enumerate(norms, 1):
            getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())

    def embed(table: nn.Embedding, tokens: Tensor) -> Tensor:
        waves = sinusoidal(tokens.shape[1], c.embed_dim).double()
        return table.weight[tokens] * c.embed_dim**0.5 + waves

    hidden = torch.arange(source.shape[1]) >= lengths[:, None]
    later = torch.ones(target.shape[1], target.shape[1]).triu(1).bool()
    memory = e(embed(model.source.tokens, source), src_key_padding_mask=hidden)
    x = embed(model.target.tokens, target)
    x = d(x, memory, tgt_mask=later, memory_key_padding_mask=hidden)
    return x @ model.output.weight.T


@pytest.mark.parametrize("tied", ["none", "output", "all"])
@pytest.mark.parametrize(("norm", "activation"), [("post", "relu"), ("pre", "gelu")])
def test_logits_are_those_of_torchs_layers(norm: str, activation: str, tied: str) -> None:
    source_vocab = CONFIG.target_vocab if tied == "all" else CONFIG.source_vocab
    model = small_model(norm=norm, activation=activation, tied=tied, source_vocab=source_vocab)
    source, target = ragged_batch()
    source = Sequences(source.ids % source_vocab, source.lengths)
    found = model(source, target)
    wanted = by_torch(model.train(), source, target)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_lengths_that_pad_nothing_make_no_mask() -> None:
    model, (source, target) = small_model(), ragged_batch()
    full = Sequences(source.ids, torch.full_like(source.counts, source.ids.shape[1]))
    assert model.encode(full).mask is None
    assert torch.equal(model(full, target), model(Sequences(source.ids), target))
    assert not torch.equal(model(source, target), model(full, target))


@pytest.mark.parametrize("positions", ["sinusoidal", "rope", "none"])
def test_a_later_output_does_not_change_an_earlier_one(positions: str) -> None:
    source, target = ragged_batch()
    other = target.clone()
    other[:, 3] = (other[:, 3] + 1) % CONFIG.target_vocab
    model = small_model(positions=positions)
    before, after = model(source, target), model(source, other)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
    model = small_model(config=LM, positions=positions)
    before, after = model(target), model(other)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "pre", "activation": "swiglu"},
        {"positions": "rope", "kv_heads": 1},
        {"positions": "learned", "max_length": 6},
        {"sharing": "all"},
        {"sharing": "universal"},
        {"sharing": "adaptive"},
    ],
)
@pytest.mark.parametrize(
    "attend", [None, Attend(mask=SlidingWindow(2, 2)), Attend(score_mod=ALiBi(2))]
)
def test_cached_steps_equal_teacher_forcing_for_every_beam(
    changes: dict[str, Any], attend: Attend | None
) -> None:
    model, (source, target) = small_model(attend, **changes), ragged_batch()
    encoded = model.encode(source)
    targets = torch.stack([target, target.flip(1), target.roll(2, 1)], dim=1)
    state, found = model.start(encoded, 3), []
    for tokens in targets.unbind(2):
        logits, after = model.step(encoded, state, tokens.flatten())
        again, state = model.step(encoded, state, tokens.flatten())
        assert torch.equal(logits, again), "a step must not change the state it was given"
        found.append(logits.unflatten(0, tokens.shape))
    for beam, one in enumerate(targets.unbind(1)):
        written = torch.stack([logits[:, beam] for logits in found], dim=1)
        wanted = model(source, one)
        torch.testing.assert_close(written, wanted, rtol=0, atol=1e-10)


def test_taken_states_continue_their_own_beams() -> None:
    model, (source, target) = small_model(), ragged_batch()
    encoded = model.encode(source)
    state = model.start(encoded, 2)
    for column in (slice(0, 2), slice(2, 4)):
        _, state = model.step(encoded, state, target[:, column].flatten())
    parent = torch.tensor([[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0]])
    kept = torch.tensor([3, 0])
    state = take(state, rows_of_beams(parent, 2))
    some, state = take(encoded, kept, kept), take(state, rows_of_sources(kept, 3), kept)
    logits, _ = model.step(some, state, target[kept, :3].flatten())
    logits = logits.unflatten(0, (2, 3))
    for row, sentence in enumerate(kept.tolist()):
        for beam in range(3):
            first = parent[sentence, beam]
            tokens = target[sentence, [first, 2 + first, beam]]
            wanted = model(alone(source, sentence), tokens[None])[0, -1]
            torch.testing.assert_close(logits[row, beam], wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", [CONFIG, LM])
def test_features_through_the_output_layer_are_the_logits(config: Any) -> None:
    model, (source, target) = small_model(config=config), ragged_batch()
    given = (source, target) if config is CONFIG else (target,)
    features = model.features(*given)
    torch.testing.assert_close(features @ model.output.weight.T, model(*given))
    assert isinstance(model, Decoder)


def test_the_alignment_is_the_mean_of_the_last_layers_heads() -> None:
    model, (source, target) = small_model(), ragged_batch()
    every = model.weights(source, target)
    assert every.shape == (3, 5, 2, 5, 6)
    torch.testing.assert_close(every.sum(-1), torch.ones_like(every[..., 0]))
    torch.testing.assert_close(model.attention_weights(source, target), every[-1].mean(1))


def test_the_alignment_of_an_output_knows_nothing_of_later_ones() -> None:
    model, (source, target) = small_model(), ragged_batch()
    every, first = model.weights(source, target), model.weights(source, target[:, :3])
    torch.testing.assert_close(every[..., :3, :], first)


@pytest.mark.parametrize("normalizer", [sparsemax, Entmax(1.5), softmax_one])
@pytest.mark.parametrize(
    "score", [Cosine(), Additive(4, 4, 5), Bilinear(4, 4), NegativeSquaredDistance()]
)
def test_any_score_and_normalizer_can_be_passed_in(score: Any, normalizer: Any) -> None:
    model, (source, target) = small_model(Attend(score, normalizer=normalizer)), ragged_batch()
    plain = small_model()
    plain.load_state_dict(model.state_dict(), strict=False)
    logits = model(source, target)
    assert not torch.allclose(logits, plain(source, target))
    logits.square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())
    shared = [m for m in model.modules() if type(m) is type(score)]
    assert len({id(m) for m in shared}) == (1 if shared else 0)
    own = small_model(lambda: Attend(deepcopy(score), normalizer=normalizer))
    scores = [m for m in own.modules() if type(m) is type(score)]
    assert len({id(m) for m in scores}) == (8 if scores else 0)


def test_dropout_acts_while_training_and_follows_the_seed() -> None:
    source, target = ragged_batch()
    for dropout, ff_dropout in ((0.3, 0.0), (0.0, 0.3)):
        model = small_model(dropout=dropout, ff_dropout=ff_dropout).train()
        torch.manual_seed(4)
        one, other = model(source, target), model(source, target)
        torch.manual_seed(4)
        assert torch.equal(model(source, target), one)
        assert not torch.equal(one, other)
    model = small_model(dropout=0.0).train()
    assert torch.equal(model(source, target), model(source, target))


def test_gradient_checkpointing_changes_nothing() -> None:
    source, target = ragged_batch()
    model, found = small_model(dropout=0.3).train(), []
    for recompute in (False, True):
        model.encoder.recompute = model.decoder.recompute = recompute
        model.zero_grad()
        torch.manual_seed(4)
        model(source, target).square().sum().backward()
        found.append([weight.grad.clone() for weight in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_tied_layers_are_one_tensor() -> None:
    shared = small_model(tied="all", source_vocab=11)
    assert shared.output.weight is shared.target.tokens.weight is shared.source.tokens.weight
    half = small_model(tied="output")
    assert half.output.weight is half.target.tokens.weight
    assert small_model().output.weight is not small_model().target.tokens.weight


def test_more_positions_than_were_learned_are_refused() -> None:
    model = small_model(config=LM, positions="learned", max_length=4)
    with pytest.raises(ValueError, match="5 positions are needed, but max_length is 4"):
        model(torch.ones(1, 5, dtype=torch.long))


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_the_classifiers_features_through_the_output_layer_are_the_logits(pooling: str) -> None:
    model, (source, _) = small_model(config=CLASSIFIER, pooling=pooling), ragged_batch()
    features = model.features(source)
    torch.testing.assert_close(model(source), features @ model.output.weight.T + model.output.bias)
    weights = model.weights(source)
    assert weights.shape == (2, 5, 2, 6, 6)
    assert not weights[:, 1, :, :, 1:].any()


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("sharing", ["none", "all", "universal", "adaptive"])
def test_the_classifier_tells_how_much_each_token_counted(pooling: str, sharing: str) -> None:
    model = small_model(config=CLASSIFIER, pooling=pooling, sharing=sharing)
    source, _ = ragged_batch()
    counted, last = model.attention_weights(source), model.weights(source)[-1]
    for row, length in enumerate(LENGTHS):
        queries = last[row, :, : 1 if pooling == "first" else length]
        torch.testing.assert_close(counted[row], queries.mean((0, 1)))
        assert not counted[row, length:].any()
        one = model.attention_weights(alone(source, row))
        torch.testing.assert_close(counted[row, :length], one[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(counted.sum(1), torch.ones_like(counted[:, 0]))


@pytest.mark.parametrize("sharing", ["all", "universal", "adaptive"])
def test_layers_that_share_have_the_weights_of_one(sharing: str) -> None:
    def size(model: Any) -> int:
        return sum(weight.numel() for weight in model.parameters())

    one = {"layers": 1, "decoder_layers": 1}
    halting = CONFIG.embed_dim + 1 if sharing == "adaptive" else 0
    assert size(small_model(sharing=sharing)) == size(small_model(**one)) + halting


def test_a_shared_model_of_one_layer_is_the_plain_one() -> None:
    one, (source, target) = {"layers": 1, "decoder_layers": 1}, ragged_batch()
    plain, shared = small_model(**one), small_model(sharing="all", **one)
    shared.load_state_dict(plain.state_dict())
    assert torch.equal(plain(source, target), shared(source, target))


def test_the_language_models_weights_look_back_only() -> None:
    model, (_, target) = small_model(config=LM), ragged_batch()
    weights = model.weights(target)
    assert weights.shape == (2, 5, 2, 5, 5)
    assert not weights.triu(1).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    torch.testing.assert_close(model.attention_weights(target), weights[-1].mean(1))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rope", "none"])
def test_initial_embeddings_have_the_paper_s_scale(positions: str) -> None:
    config = changed(LM, embed_dim=64, vocab=500, positions=positions, max_length=50)
    torch.manual_seed(0)
    embedding = type(small_model(config=LM))(config).embedding
    assert embedding.tokens.weight.std().item() == pytest.approx(1 / 8, rel=0.05)
    assert embedding.scale == (8.0 if positions == "sinusoidal" else 1.0)
