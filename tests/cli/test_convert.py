"""`regard convert`: an old folder made new, or one sentence."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import regard
from regard.models.bert import BertMaskedLM, BertMaskedLMConfig


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A small BERT's folder of the time when no configuration said what it was of."""
    sizes: dict[str, Any] = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "ff_dim": 6, "layers": 1}
    folder = tmp_path / "old"
    regard.save(BertMaskedLM(BertMaskedLMConfig(**sizes)), folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    entries = json.loads((folder / "config.json").read_text())
    del entries["model_type"], entries["architectures"]
    (folder / "config.json").write_text(json.dumps(entries))
    return folder


def test_what_was_guessed_is_said(old: Path, done: Callable[..., str]) -> None:
    out = old.with_name("new")
    printed = done("convert", old, out)
    assert "does not say its model_type: by the names of the tensors it is bert" in printed
    assert f"wrote {out}: bert_masked_lm, " in printed
    assert regard.load(out).config.tag == "bert_masked_lm"


def test_what_was_told_is_not_called_guessed(old: Path, done: Callable[..., str]) -> None:
    assert "model_type" not in done("convert", old, old.with_name("new"), "--family", "bert")


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_command_in_a_pickle_is_not_run(
    old: Path, mistake: Callable[..., str], tmp_path: Path
) -> None:
    torch.save({"weight": Hostile(tmp_path / "ran")}, old / "pytorch_model.bin")
    assert "not a pickle of tensors alone" in mistake("convert", old, tmp_path / "new")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "new").exists()


def test_wrong_calls_are_one_sentence(
    old: Path, mistake: Callable[..., str], tmp_path: Path
) -> None:
    assert "is there already" in mistake("convert", old, old)
    assert "there is no family 'bort'" in mistake("convert", old, tmp_path / "new", "--family=bort")
    assert "arguments are required: OUT" in mistake("convert", old)
    assert "config.json" in mistake("convert", tmp_path / "nowhere", tmp_path / "new")
    entries = json.loads((old / "config.json").read_text())
    (old / "config.json").write_text(json.dumps(entries | {"hidden_size": 4}))
    assert "does not fit the model" in mistake("convert", old, tmp_path / "new")
