"""Every value of a configuration does something, or is refused with a sentence."""

import dataclasses
import json
from typing import Any

import pytest
import torch

from regard.models.transformer import Transformer, TransformerConfig, base, big
from tests.models.transformer.small import CLASSIFIER, CONFIG, FORMS, LM, changed

CHANGES: dict[str, Any] = {
    "source_vocab": 31,
    "target_vocab": 12,
    "vocab": 12,
    "classes": 5,
    "embed_dim": 12,
    "num_heads": 4,
    "ff_dim": 13,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "layers": 3,
    "dropout": 0.4,
    "ff_dropout": 0.4,
    "norm": "pre",
    "activation": "gelu",
    "positions": "rope",
    "kv_heads": 1,
    "tied": "output",
    "pool": "first",
    "sharing": "universal",
}


def fingerprint(config: Any) -> tuple[list[tuple[int, ...]], str, list[float]]:
    """The shapes, the parts and some answers of the model that a configuration builds."""
    torch.manual_seed(0)
    model = FORMS[next(c for c in FORMS if type(c) is type(config))](config)
    tokens = torch.tensor([[1, 2, 3, 4]])
    given = (tokens, tokens) if isinstance(model, Transformer) else (tokens,)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
        answer = model.eval()(*given).flatten().tolist()
    return [tuple(w.shape) for w in model.parameters()], repr(model), answer


@pytest.mark.parametrize("config", [CONFIG, CLASSIFIER, LM])
def test_every_field_changes_the_network(config: Any) -> None:
    before = fingerprint(config)
    for field in dataclasses.fields(config):
        if field.name != "max_length":
            after = fingerprint(changed(config, **{field.name: CHANGES[field.name]}))
            assert after != before, field.name
    learned = changed(config, positions="learned", max_length=9)
    assert fingerprint(learned) != fingerprint(changed(learned, max_length=8))


@pytest.mark.parametrize("config", [CONFIG, CLASSIFIER, LM, base(100), big(100, 90)])
def test_a_configuration_survives_json(config: Any) -> None:
    assert type(config).from_json(config.to_json()) == config
    assert json.loads(config.to_json())["model_type"] == config.model_type


def test_the_published_sizes_are_published() -> None:
    shape = (512, 8, 2048, 6, 6, 0.1, "post", "relu", "sinusoidal", "all")
    names = "embed_dim num_heads ff_dim encoder_layers decoder_layers dropout norm activation"
    names = [*names.split(), "positions", "tied"]
    assert tuple(getattr(base(100), name) for name in names) == shape
    shape = (1024, 16, 4096, 6, 6, 0.3, "post", "relu", "sinusoidal", "all")
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
        ({"positions": "learned"}, "give both or neither"),
        ({"max_length": 9}, "give both or neither"),
        ({"tied": "all"}, "source_vocab is 30 and target_vocab 11"),
        ({"sharing": "universal", "positions": "rope"}, "needs positions 'sinusoidal', got 'rope'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and less than 1, got 1.0"),
        ({"dropout": float("nan")}, "got nan"),
        ({"ff_dropout": -0.1}, "ff_dropout must be at least 0"),
        ({"encoder_layers": 0}, "encoder_layers must be between 1 and 1000, got 0"),
        ({"embed_dim": 10**9}, "embed_dim must be between 1 and 65536"),
    ],
)
def test_values_that_do_not_fit_are_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        changed(CONFIG, **changes)


def test_a_configuration_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match='not the configuration of a "transformer" model'):
        TransformerConfig.from_json(LM.to_json())


@pytest.mark.parametrize("config", [CONFIG, CLASSIFIER, LM])
def test_a_file_from_before_layers_could_share_means_that_they_do_not(config: Any) -> None:
    entries = json.loads(config.to_json())
    del entries["sharing"]
    assert type(config).from_json(json.dumps(entries)) == config


def test_a_language_model_does_not_halt() -> None:
    with pytest.raises(ValueError, match="sharing 'adaptive' is for encoders"):
        changed(LM, sharing="adaptive")
