"""A saved network is the network; anything else is refused with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.checkpoint import load, save
from regard.models.luong import Luong
from regard.normalizers import sparsemax
from regard.scores import Additive, Cosine, LuongConcat
from tests.models.luong.small import SOME, config, ragged_batch, small_model


@pytest.mark.parametrize("form", SOME)
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(form: str, tmp_path: Path) -> None:
    model = Luong(config(form))
    save(model, tmp_path)
    again = load(tmp_path)
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
    assert again.config == model.config == config(form)
    assert not again.training
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


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
    again = load(tmp_path)
    assert again.config == model.config and again.config.attention.normalizer == "sparsemax"
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))


def test_weights_of_another_form_are_refused_naming_all_of_them(tmp_path: Path) -> None:
    save(Luong(config()), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"general"', '"luong_concat"'))
    with pytest.raises(CheckpointMismatch) as caught:
        load(tmp_path)
    assert set(caught.value.missing) == {
        "attention.key.weight",
        "attention.attend.score.query_weight",
        "attention.attend.score.v",
    }
    assert set(caught.value.unexpected) == {"attention.attend.score.weight"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "mluong"}, "its model_type is 'mluong'"),
        ({"attention": "local"}, "there is no attention 'local': .*local_m"),
        ({"attention": "none(input_feeding=True)"}, "there is no input_feeding in none"),
        ({"attention": "local_p(normalizer=sparsemax)"}, "there is no normalizer in local_p"),
        ({"attention": "global(window=3)"}, "there is no window in global"),
        ({"layers": 1001}, "layers must be at least 1 and at most 1000"),
        ({"beams": 3}, "there is no beams in luong"),
    ],
)
def test_a_foreign_configuration_is_refused_by_name(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    save(Luong(config()), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=f"(?s)config.json: .*{why}"):
        load(tmp_path)


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
    again = load(tmp_path)
    assert again.config == model.config
    assert torch.equal(model(*ragged_batch()), again(*ragged_batch()))
