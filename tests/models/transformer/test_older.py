"""Networks of version 0.1, whose parts stood in `task.json`, are the networks of today."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.models.checkpoint import load_network, save
from regard.models.transformer.config import Adaptive
from tests.models.transformer.small import CLASSIFIER, CONFIG, LM, ragged_batch, small_model

BLOCKS: dict[str, Any] = {
    "embed_dim": 8,
    "num_heads": 2,
    "ff_dim": 12,
    "dropout": 0.1,
    "ff_dropout": 0.0,
    "norm": "post",
    "activation": "relu",
    "positions": "sinusoidal",
    "max_length": None,
    "kv_heads": None,
    "sharing": "none",
}
PAIRS: dict[str, Any] = {
    **BLOCKS,
    "model_type": "transformer",
    "source_vocab": 30,
    "target_vocab": 11,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "tied": "none",
}
TEXTS: dict[str, Any] = {
    **BLOCKS,
    "model_type": "transformer_classifier",
    "vocab": 30,
    "classes": 4,
    "layers": 2,
    "pool": "mean",
}
RUNNING: dict[str, Any] = {
    **BLOCKS,
    "model_type": "transformer_lm",
    "vocab": 11,
    "layers": 2,
    "tied": "none",
}
PLAIN = {"score": "scaled_dot", "score_mod": "none", "normalizer": "softmax"}
PLAIN |= {"window": 0, "attention_dropout": 0.0}
PARTS = {"score": "cosine", "score_mod": "alibi", "normalizer": "top_k"}
PARTS |= {"window": 3, "attention_dropout": 0.2}
LEARNED = {"score": "additive", "score_mod": "relative_bias", "normalizer": "learned_entmax"}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Any, dict[str, Any]]] = {
    "translate": (PAIRS, {"task": "translate", **PLAIN}, CONFIG, {}),
    "translate, parts": (
        PAIRS | {"norm": "pre", "activation": "swiglu", "kv_heads": 1},
        {"task": "translate", **PARTS},
        CONFIG,
        {
            "norm": "pre",
            "activation": "swiglu",
            "kv_heads": 1,
            "attention": "parts(score=cosine(0.1), score_mod=alibi, mask=sliding_window(3, 3), "
            "normalizer=top_k(8), dropout=0.2)",
        },
    ),
    "translate, learned positions": (
        PAIRS | {"positions": "learned", "max_length": 21},
        {"task": "translate", **PLAIN},
        CONFIG,
        {"positions": "learned", "max_length": 21},
    ),
    "classify": (
        TEXTS | {"pool": "first"},
        {"task": "classify", "longest": 40, **PLAIN},
        CLASSIFIER,
        {"pooling": "first", "max_length": 40},
    ),
    "classify, learned parts": (
        TEXTS | {"sharing": "universal"},
        {"task": "classify", "longest": 40, **LEARNED},
        CLASSIFIER,
        {
            "max_length": 40,
            "sharing": "universal",
            "attention": "parts(score=additive, score_mod=relative_bias, "
            "normalizer=learned_entmax)",
        },
    ),
    "classify, adaptive": (
        TEXTS | {"sharing": "adaptive"},
        {"task": "classify", "longest": 40, **PLAIN},
        CLASSIFIER,
        {"max_length": 40, "sharing": Adaptive(ponder_cost=0.01)},
    ),
    "language_model": (
        RUNNING | {"positions": "rope"},
        {"task": "language_model", "block": 9, **PLAIN},
        LM,
        {"positions": "rope", "max_length": 9},
    ),
    "before layers could share": (
        {key: value for key, value in RUNNING.items() if key != "sharing"},
        {"task": "language_model", "block": 9},
        LM,
        {"max_length": 9},
    ),
    "without a task": (RUNNING, {}, LM, {}),
}


@pytest.mark.parametrize(("old", "about", "config", "changes"), CASES.values(), ids=CASES)
def test_a_network_of_the_first_version_is_the_one_of_today(
    old: dict[str, Any], about: dict[str, Any], config: Any, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = small_model(config=config, **changes).float()
    save(model, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(old))
    if about:
        (tmp_path / "task.json").write_text(json.dumps(about))
    again = load_network(tmp_path)
    assert again.config == model.config
    source, target = ragged_batch()
    given: Any = {CONFIG: (source, target), LM: (target,)}.get(config, (source,))
    assert torch.equal(again(*given), model(*given))


@pytest.mark.parametrize("name", ["score", "embed_dim"])
def test_what_no_version_wrote_is_refused(name: str, tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(PAIRS | {name: "nothing"}))
    with pytest.raises(ValueError, match=f"config.json: .*{name}"):
        load_network(tmp_path)
