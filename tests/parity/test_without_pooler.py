"""Bodies that were saved without a pooler: theirs answers the same, and the summary is a state."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import regard
from regard.errors import CheckpointMismatch
from regard.models.published import load_published
from tests.parity.hugging_face import PADDED, VOCAB, near, random_network, transformers

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 24}  # fmt: skip
TEXT = {"vocab_size": VOCAB, "max_position_embeddings": 12, **SMALL}
BODIES: dict[str, tuple[Any, Any]] = {
    "bert": (transformers.BertModel, transformers.BertConfig(**TEXT)),
    "albert": (
        transformers.AlbertModel, transformers.AlbertConfig(embedding_size=8, **TEXT),
    ),
    "vit": (transformers.ViTModel, transformers.ViTConfig(image_size=8, patch_size=4, **SMALL)),
}  # fmt: skip


def saved(name: str, folder: Path) -> Any:
    kind, config = BODIES[name]
    theirs = random_network(lambda c: kind(c, add_pooling_layer=False), config)
    theirs.save_pretrained(folder)
    return theirs


def asked(name: str, ours: Any, theirs: Any) -> tuple[Any, Any, Any]:
    """Our states and summary, and their states."""
    if name == "vit":
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        states = ours(images)
        return states, ours.summary(states), theirs(images).last_hidden_state
    states = ours(PADDED)
    wanted = theirs(PADDED.ids, attention_mask=PADDED.real.expand_as(PADDED.ids).long())
    return states, ours.summary(states, PADDED), PADDED.zero_padding(wanted.last_hidden_state)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_without_a_pooler_is_theirs_and_is_saved_as_it_was(
    name: str, tmp_path: Path
) -> None:
    theirs = saved(name, tmp_path / "theirs")
    ours = regard.load(tmp_path / "theirs")
    states, summary, wanted = asked(name, ours, theirs)
    near(states, wanted, "states")
    assert torch.equal(summary, states[:, 0]) and ours.config.pooler is False
    regard.save(ours, tmp_path / "ours")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again, told = type(theirs).from_pretrained(
            tmp_path / "ours", add_pooling_layer=False, output_loading_info=True
        )
    assert not told["missing_keys"] and not told["unexpected_keys"]
    near(asked(name, ours, again.eval())[2], wanted, "theirs from our folder")
    assert regard.load(tmp_path / "ours").config == ours.config


@pytest.mark.parametrize("name", BODIES)
def test_half_a_pooler_is_refused(name: str, tmp_path: Path) -> None:
    kind, config = BODIES[name]
    random_network(kind, config).save_pretrained(tmp_path)
    assert regard.load(tmp_path).config.pooler is True
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    (bias,) = (each for each in tensors if "pooler" in each and each.endswith("bias"))
    save_file({n: t for n, t in tensors.items() if n != bias}, path)
    with pytest.raises(CheckpointMismatch, match="pooler"):
        regard.load(tmp_path)


@pytest.mark.parametrize("name", ["bert", "albert"])
def test_heads_draw_the_pooler_that_they_need(name: str, tmp_path: Path) -> None:
    saved(name, tmp_path)
    classifier = load_published(tmp_path, network=f"{name}_classifier", classes=3)
    assert classifier.encoder.pooler is not None and classifier(PADDED).shape == (3, 3)
    tagger = load_published(tmp_path, network=f"{name}_tagger", classes=3)
    assert tagger.encoder.pooler is None


def test_a_body_of_ours_without_a_pooler_is_kept_in_our_own_layout(tmp_path: Path) -> None:
    from regard.models.bert import Bert, BertConfig

    sizes: dict[str, Any] = {"vocab": 9, "embed_dim": 8, "num_heads": 2, "layers": 1, "ff_dim": 8}
    model = Bert(BertConfig(**sizes, pooler=False, attention={"normalizer": "sparsemax"}))
    regard.save(model, tmp_path)
    assert regard.load(tmp_path).pooler is None
