"""A saved network is the network; anything else is refused with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from regard.layers import Attend
from regard.models.checkpoint import load_network, save
from regard.models.luong import Luong
from regard.normalizers import sparsemax
from regard.scores import Additive, Cosine, LuongConcat
from tests.models.luong.small import SOME, config, ragged_batch, small_model

PASSED = {
    "luong_concat(5, 5, 5)": lambda: LuongConcat(5, 5, 5),
    "luong_concat(variant=official)": lambda: LuongConcat(5, 5, 5, "official"),
    "additive": lambda: Additive(query_dim=5, hidden_dim=5),
    "additive(key_dim=5)": lambda: Additive(5, 5, 5),
    "cosine(0.5)": lambda: Cosine(0.5),
}


@pytest.mark.parametrize("name", PASSED)
def test_parts_that_were_passed_in_are_loaded_by_their_names(name: str, tmp_path: Path) -> None:
    model = small_model(attend=Attend(PASSED[name](), normalizer=sparsemax)).float()
    assert model.config.attention.score == name
    save(model, tmp_path)
    again = load_network(tmp_path)
    assert again.config == model.config and again.config.attention.normalizer == "sparsemax"
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))


OLD: dict[str, Any] = {
    "model_type": "luong",
    "source_vocab": 30,
    "target_vocab": 7,
    "embed_dim": 6,
    "hidden_dim": 5,
    "layers": 2,
    "attention": "global",
    "score": "general",
    "window": 2,
    "longest": 6,
    "input_feeding": "on",
    "variant": "paper",
    "dropout": 0.0,
}


@pytest.mark.parametrize(
    ("old", "form"),
    [
        ({}, "global"),
        ({"score": "concat", "input_feeding": "off"}, SOME[1]),
        ({"score": "location", "attention": "local_m"}, SOME[2]),
        ({"score": "dot", "attention": "local_p"}, SOME[3]),
        (
            {
                "score": "concat",
                "attention": "local_p",
                "variant": "official",
                "input_feeding": "off",
            },
            SOME[4],
        ),
        ({"attention": "none", "input_feeding": "off"}, "none"),
    ],
)
def test_a_network_of_the_first_version_still_loads(
    old: dict[str, Any], form: str, tmp_path: Path
) -> None:
    model = Luong(config(form))
    save(model, tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({n.replace("attend.", ""): t for n, t in load_file(path).items()}, path)
    (tmp_path / "config.json").write_text(json.dumps(OLD | old))
    again = load_network(tmp_path)
    assert again.config == model.config
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
