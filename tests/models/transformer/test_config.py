"""Every value of a configuration does something, or is refused with a sentence."""

import dataclasses
from typing import Any

import pytest
import torch

from regard.models.transformer import Transformer, TransformerLM, base, big
from regard.sequences import Sequences
from tests.models.transformer.small import CLASSIFIER, CONFIG, FORMS, LM, changed

CHANGES: dict[str, Any] = {
    "source_vocab": 31,
    "target_vocab": 12,
    "vocab": 12,
    "classes": 5,
    "embed_dim": 12,
    "num_heads": 4,
    "ff_dim": 13,
    "decoder_layers": 2,
    "layers": 3,
    "dropout": 0.4,
    "ff_dropout": 0.4,
    "norm": "pre",
    "activation": "gelu",
    "positions": "rope",
    "kv_heads": 1,
    "tied": "output",
    "pooling": "first",
    "attention": {"score": "cosine"},
    "sharing": "universal",
}


def fingerprint(config: Any) -> tuple[list[tuple[int, ...]], str, list[float]]:
    """The shapes, the parts and some answers of the model that a configuration builds."""
    torch.manual_seed(0)
    model = FORMS[next(c for c in FORMS if type(c) is type(config))](config)
    tokens = torch.tensor([[1, 2, 3, 4]])
    source = Sequences(tokens)
    given = {Transformer: (source, tokens), TransformerLM: (tokens,)}.get(type(model), (source,))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
        answer = model.eval()(*given).flatten().tolist()
    return [tuple(w.shape) for w in model.parameters()], repr(model), answer


@pytest.mark.parametrize("config", [CONFIG, CLASSIFIER, LM])
def test_every_field_changes_the_network(config: Any) -> None:
    before = fingerprint(config)
    for field in dataclasses.fields(config):
        if field.name not in ("max_length", "joint_vocab"):
            after = fingerprint(changed(config, **{field.name: CHANGES[field.name]}))
            assert after != before, field.name
    learned = changed(config, positions="learned", max_length=9)
    assert fingerprint(learned) != fingerprint(changed(learned, max_length=8))


def test_one_vocabulary_ties_and_two_of_one_size_do_not() -> None:
    size = CONFIG.target_vocab
    joint, apart = (
        changed(CONFIG, source_vocab=size, joint_vocab=j, tied="all") for j in (True, False)
    )
    assert fingerprint(joint) != fingerprint(apart)


def test_the_published_sizes_are_published() -> None:
    shape = (512, 8, 2048, 6, 0.1, "post", "relu", "all")
    names = "embed_dim num_heads ff_dim layers dropout norm activation tied".split()
    assert tuple(getattr(base(100), name) for name in names) == shape
    shape = (1024, 16, 4096, 6, 0.3, "post", "relu", "all")
    assert tuple(getattr(big(100), name) for name in names) == shape
    assert base(100, 90).tied == "output"
    assert big(100, dropout=0.1).dropout == 0.1
    # The paper counts 65 million for base and 213 for big, with 37 000 tokens.
    with torch.device("meta"):
        sizes = [sum(w.numel() for w in Transformer(c(37_000)).parameters()) for c in (base, big)]
    assert sizes == [pytest.approx(65e6, rel=0.04), pytest.approx(213e6, rel=0.04)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"embed_dim": 10, "num_heads": 3}, "embed_dim 10 is not divisible by num_heads 3"),
        ({"num_heads": 4, "kv_heads": 3}, "num_heads 4 is not divisible by kv_heads 3"),
        ({"positions": "rope", "embed_dim": 6}, "3 wide, which is odd"),
        ({"sharing": "universal", "positions": "rope"}, "needs positions 'sinusoidal', got 'rope'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": float("nan")}, "got nan"),
        ({"ff_dropout": -0.1}, "ff_dropout must be at least 0"),
        ({"layers": 0}, "layers must be at least 1 and at most 1000, got 0"),
        ({"embed_dim": 10**9}, "embed_dim must be at least 1 and at most 65536"),
    ],
)
def test_values_that_do_not_fit_are_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        changed(CONFIG, **changes)


def test_a_language_model_does_not_halt() -> None:
    with pytest.raises(ValueError, match="there is no sharing 'adaptive'"):
        changed(LM, sharing="adaptive")


def test_embeddings_of_two_vocabularies_are_not_tied() -> None:
    assert not changed(CONFIG, tied="all").ties_source
    assert changed(CONFIG, tied="all", source_vocab=11).ties_source
    # As many tokens on both sides, and not the same ones.
    assert not changed(CONFIG, tied="all", source_vocab=11, joint_vocab=False).ties_source
