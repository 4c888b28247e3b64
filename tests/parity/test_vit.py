"""The vision transformer is Hugging Face's, in every option that theirs has."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.layers import PatchEmbedding
from regard.models import vit
from tests.parity.hugging_face import (
    flipped,
    gradients_like_theirs,
    loaded,
    near,
    random_network,
    same_after_saving,
    transformers,
)

TINY: dict[str, Any] = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 17,
    "image_size": 8,
    "patch_size": 4,
    "attn_implementation": "eager",
}
FLIPS: list[dict[str, Any]] = [
    {},
    {"hidden_act": "gelu_new"},
    {"hidden_act": "relu"},
    {"image_size": 12},
    {"image_size": 11},
    {"image_size": [8, 12]},
    {"patch_size": 2},
    {"patch_size": [4, 2]},
    {"num_channels": 1},
    {"qkv_bias": False},
    {"pooler_output_size": 5},
    {"pooler_act": "relu"},
    {"layer_norm_eps": 1e-2},
    {"num_hidden_layers": 1},
    {"num_attention_heads": 1},
    {"num_attention_heads": 12},
    {"hidden_dropout_prob": 0.7},
    {"attention_probs_dropout_prob": 0.7},
    {"initializer_range": 0.5},
    {"encoder_stride": 8},
]
NAMES = (
    (r"(^|vit\.)layers\.", r"\1encoder.layer."),
    (r"attention\.([qkv])_proj", lambda found: f"attention.attention.{PROJECTED[found[1]]}"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)
"""How `transformers` 5 calls in memory what it still writes as it always has."""
PROJECTED = {"q": "query", "k": "key", "v": "value"}


def config(**changes: Any) -> Any:
    return transformers.ViTConfig(**{**TINY, **changes})


def images_for(theirs: Any, count: int = 3) -> Tensor:
    size = theirs.config.image_size
    sides = [size, size] if isinstance(size, int) else [*size]
    return torch.randn(count, theirs.config.num_channels, *sides)


def as_written(name: str) -> str:
    for now, written in NAMES:
        name = re.sub(now, written, name)
    return name


def same_gradients(ours: Any, theirs: Any, mine: Tensor, yours: Tensor) -> None:
    for answers in (mine, yours):
        answers.square().mean().backward()
    found = gradients_like_theirs(ours)
    wanted = {as_written(n): w.grad for n, w in theirs.named_parameters() if w.grad is not None}
    assert found.keys() >= wanted.keys(), sorted(wanted.keys() - found.keys())
    for name, gradient in wanted.items():
        near(found[name], gradient, f"gradient of {name}")


@pytest.mark.parametrize("changes", FLIPS, ids=flipped)
def test_states_weights_and_gradients_are_theirs(changes: dict[str, Any], tmp_path: Path) -> None:
    theirs = random_network(transformers.ViTModel, config(**changes))
    ours = loaded(theirs, tmp_path / "theirs")
    images = images_for(theirs)
    ask = {"pixel_values": images}
    wanted = theirs(**ask, output_hidden_states=True, output_attentions=True)
    for number, (mine, yours) in enumerate(
        zip(ours.states(images), wanted.hidden_states, strict=True)
    ):
        near(mine, yours, f"states of layer {number}")
    for number, (mine, yours) in enumerate(
        zip(ours.weights(images), wanted.attentions, strict=True)
    ):
        near(mine, yours, f"weights of {number}")
    found = ours(images)
    near(ours.summary(found), wanted.pooler_output, "summary")
    same_gradients(ours, theirs, found, wanted.last_hidden_state)
    same_after_saving(ours, transformers.ViTModel, tmp_path / "ours", ask,
                      "pooler_output", wanted.pooler_output)  # fmt: skip


def test_labels_are_theirs(tmp_path: Path) -> None:
    kind = transformers.ViTForImageClassification
    theirs = random_network(kind, config(num_labels=3))
    ours = loaded(theirs, tmp_path / "theirs")
    images = images_for(theirs)
    wanted, found = theirs(images).logits, ours(images)
    near(found, wanted, "logits")
    same_gradients(ours, theirs, found, wanted)
    same_after_saving(ours, kind, tmp_path / "ours", {"pixel_values": images}, "logits", wanted)
    near(torch.cat([ours(image.unsqueeze(0)) for image in images]), wanted, "one by one")


@pytest.mark.parametrize("size", [(8, 8), (12, 12), (8, 12), (20, 4), (4, 4), (16, 4), (9, 11)])
def test_positions_between_the_known_are_theirs(size: tuple[int, int], tmp_path: Path) -> None:
    theirs = random_network(transformers.ViTModel, config(), spread=1.0)
    ours = loaded(theirs, tmp_path)
    images = torch.randn(2, 3, *size)
    wanted = theirs(images, interpolate_pos_encoding=True)
    near(ours(images, interpolate=True), wanted.last_hidden_state, "states")


def test_the_same_number_of_patches_is_not_the_same_grid() -> None:
    layer = PatchEmbedding(6, image_size=(4, 16), patch_size=(2, 2))
    images = torch.randn(1, 3, 8, 8)
    far = layer(images, interpolate=True) - layer(images.reshape(1, 3, 4, 16), interpolate=True)
    assert far[:, 1:].abs().max() > 0.01
    with pytest.raises(
        ValueError, match=r"images are 8 x 8 .*, and there are positions for 4 x 16"
    ):
        layer(images)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("images", "options", "kind", "why"),
    [
        (torch.zeros(1, 3, 8, 12), {}, ValueError,
         r"images are 8 x 12 \(height x width\), and there are positions for 8 x 8; resize them, "
         "or say interpolate=True"),
        (torch.zeros(1, 3, 8, 3), {"interpolate": True}, ValueError, "less than a patch of 4 x 4"),
        (torch.zeros(1, 1, 8, 8), {}, ValueError, r"3 channels, .*\], got \[1, 1, 8, 8\]"),
        (torch.zeros(3, 8, 8), {}, ValueError, r"got \[3, 8, 8\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), {}, TypeError, "uint8, .* divide by 255"),
    ],
)  # fmt: skip
def test_images_of_another_kind_are_refused(
    images: Tensor, options: dict[str, Any], kind: type[Exception], why: str
) -> None:
    sizes: dict[str, Any] = {"embed_dim": 4, "num_heads": 1, "layers": 1}
    model = vit.ViT(vit.ViTConfig(image_size=(8, 8), patch_size=(4, 4), **sizes))
    with pytest.raises(kind, match=why):
        model(images, **options)


@pytest.mark.usefixtures("as_users_have_it")
def test_configurations_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an image of 8 x 8 has no patch of 16 x 16"):
        vit.ViT(vit.ViTConfig(image_size=(8, 8), embed_dim=12))
    with pytest.raises(ValueError, match="patch_size is a height and a width, got 1 numbers"):
        vit.ViTConfig(image_size=(8, 8), patch_size=(4,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a classifier reads the first token as it is"):
        vit.ViTClassifierConfig(image_size=(8, 8), classes=2, summary_dim=3)
    random_network(transformers.ViTModel, config()).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"image_size": 8', '"image_size": [8, 8, 8]'))
    with pytest.raises(ValueError, match=r"its image_size is \[8, 8, 8\], no height and width"):
        regard.load(tmp_path)


def test_published_sizes_have_the_published_numbers_of_weights() -> None:
    """In millions, with a thousand labels: table 1 of the paper, and that of DeiT."""
    published = {vit.tiny: 5.7, vit.small: 22, vit.base: 86, vit.large: 307, vit.huge: 632}
    for size, millions in published.items():
        sizes = {name: getattr(size(), name) for name in ("image_size", "patch_size", "embed_dim",
                 "layers", "num_heads", "ff_dim")}  # fmt: skip
        with torch.device("meta"):
            model = vit.ViTClassifier(vit.ViTClassifierConfig(classes=1000, **sizes))
        count = sum(weight.numel() for weight in model.parameters()) / 1e6
        assert abs(count - millions) < 0.02 * millions, size.__name__


def test_the_mask_token_of_pretraining_may_be_there(tmp_path: Path) -> None:
    theirs = random_network(transformers.ViTModel, config())
    theirs.embeddings.mask_token = torch.nn.Parameter(torch.zeros(1, 1, 12))
    ours = loaded(theirs, tmp_path)
    images = images_for(theirs)
    near(ours(images), theirs(images).last_hidden_state, "states")


def test_copied_weights_in_half_precision_are_near(tmp_path: Path) -> None:
    theirs = random_network(transformers.ViTModel, config())
    ours, images = loaded(theirs, tmp_path).to(torch.bfloat16), images_for(theirs)
    wanted = theirs(images).last_hidden_state
    naive = theirs.to(torch.bfloat16)(images.bfloat16()).last_hidden_state
    off = (ours(images) - wanted).abs().max()
    assert off <= 2 * (naive - wanted).abs().max()
