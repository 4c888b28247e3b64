"""Pickles become safetensors, and a pickle of anything but tensors is never run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import regard
from regard.models.albert import Albert, AlbertConfig, AlbertMaskedLM, AlbertMaskedLMConfig
from regard.models.bert import Bert, BertConfig, BertMaskedLM, BertMaskedLMConfig
from regard.models.converting import convert
from regard.sequences import Sequences
from tests.hostile.laws import soon

SIZES: dict[str, Any] = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "ff_dim": 6, "layers": 2}
TEXTS = Sequences.of([[4, 8, 5], [6]])
MODELS = {
    "bert": Bert(BertConfig(**SIZES)),
    "bert_masked_lm": BertMaskedLM(BertMaskedLMConfig(**SIZES, next_sentence=True)),
    "albert": Albert(AlbertConfig(**SIZES)),
    "albert_masked_lm": AlbertMaskedLM(AlbertMaskedLMConfig(**SIZES)),
}


def pickled(name: str, folder: Path, new: bool = True) -> dict[str, torch.Tensor]:
    """A small network as an old folder; `new` is the zip that PyTorch writes since 1.6."""
    regard.save(MODELS[name], folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=new)
    (folder / "vocab.txt").write_text("a\nb\n")
    (folder / "tokenizer.model").write_bytes(b"pieces")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return tensors


def said(folder: Path, **changes: Any) -> None:
    """Change what `config.json` says; None takes a key out."""
    path = folder / "config.json"
    entries = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in entries.items() if v is not None}))


def refusal(folder: Path, kind: type[Exception] = ValueError, **options: Any) -> str:
    """Why a folder is not converted; nothing is left of the new one."""
    target = folder.parent / "new"
    before = sorted(folder.parent.iterdir())
    with pytest.raises(kind) as caught:
        convert(folder, target, **options)
    assert sorted(folder.parent.iterdir()) == before
    return str(caught.value)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_network_is_in_the_new_folder(name: str, new: bool, tmp_path: Path) -> None:
    tensors = pickled(name, tmp_path / "old", new)
    found = convert(tmp_path / "old", tmp_path / "new")
    assert (found.network, found.tensors, found.guessed) == (name, len(tensors), {})
    assert (tmp_path / "new" / "vocab.txt").read_text() == "a\nb\n"
    assert (tmp_path / "new" / "tokenizer.model").read_bytes() == b"pieces"
    assert (tmp_path / "new" / "chat_template.jinja").read_text() == "{{ messages }}"
    assert torch.equal(regard.load(tmp_path / "new")(TEXTS), MODELS[name].eval()(TEXTS))
    assert not list((tmp_path / "new").glob("*.bin"))


@pytest.mark.parametrize("name", MODELS)
def test_the_names_of_tensors_tell_what_is_not_said(name: str, tmp_path: Path) -> None:
    pickled(name, tmp_path / "old")
    said(tmp_path / "old", model_type=None, architectures=None)
    found = convert(tmp_path / "old", tmp_path / "new")
    assert found.network == name and found.guessed.keys() == {"model_type", "architecture"}
    entries = json.loads((tmp_path / "new" / "config.json").read_text())
    assert entries["model_type"] == name.partition("_")[0]
    assert torch.equal(regard.load(tmp_path / "new")(TEXTS), MODELS[name].eval()(TEXTS))


def test_what_is_around_the_tensors_is_taken_off(tmp_path: Path) -> None:
    tensors = pickled("bert", tmp_path / "old")
    around = {"epoch": 3, "state_dict": {f"module.{n}": t for n, t in tensors.items()}}
    torch.save(around, tmp_path / "old" / "pytorch_model.bin")
    assert convert(tmp_path / "old", tmp_path / "new").tensors == len(tensors)
    assert torch.equal(regard.load(tmp_path / "new")(TEXTS), MODELS["bert"].eval()(TEXTS))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_a_wrapped_networks_folder_is_read_and_said(prefix: str, tmp_path: Path) -> None:
    regard.save(MODELS["bert"], tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({f"{prefix}{n}": t for n, t in tensors.items()}, tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match=f"{prefix}.* is read as .*and all others likewise"):
        again = regard.load(tmp_path)
    assert torch.equal(again(TEXTS), MODELS["bert"].eval()(TEXTS))


def test_shards_stay_shards(tmp_path: Path) -> None:
    tensors = sorted(pickled("bert", tmp_path / "old").items())
    (tmp_path / "old" / "pytorch_model.bin").unlink()
    halves = {"pytorch_model-1.bin": dict(tensors[::2]), "pytorch_model-2.bin": dict(tensors[1::2])}
    for file, half in halves.items():
        torch.save(half, tmp_path / "old" / file)
    mapped = {tensor: file for file, half in halves.items() for tensor in half}
    index = tmp_path / "old" / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": mapped}))
    convert(tmp_path / "old", tmp_path / "new")
    assert len(list((tmp_path / "new").glob("*.safetensors"))) == 2
    assert torch.equal(regard.load(tmp_path / "new")(TEXTS), MODELS["bert"].eval()(TEXTS))
    index.write_text(json.dumps({"weight_map": {**mapped, "x": "../x.bin"}}))
    (tmp_path / "new").rename(tmp_path / "newer")
    assert "'../x.bin', which is no .bin file beside it" in refusal(tmp_path / "old")
    (tmp_path / "old" / "pytorch_model-2.bin").unlink()
    index.write_text(json.dumps({"weight_map": mapped}))
    assert "lacks 1 of 2 files" in refusal(tmp_path / "old", FileNotFoundError)


def test_shared_tensors_are_written_apart(tmp_path: Path) -> None:
    tensors = pickled("bert_masked_lm", tmp_path / "old")
    tied = {"cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"]}
    turned = {name: t.mT.contiguous().mT if t.ndim == 2 else t for name, t in tensors.items()}
    torch.save(turned | tied, tmp_path / "old" / "pytorch_model.bin")
    convert(tmp_path / "old", tmp_path / "new")
    found = regard.load(tmp_path / "new")(TEXTS)
    assert torch.equal(found, MODELS["bert_masked_lm"].eval()(TEXTS))


class Hostile:
    """Runs a command where a pickle is opened without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])
def test_a_pickle_that_would_run_a_command_is_refused(new: bool, tmp_path: Path) -> None:
    tensors: dict[str, Any] = dict(pickled("bert", tmp_path / "old"))
    tensors["embeddings.LayerNorm.weight"] = Hostile(tmp_path / "ran")
    path = tmp_path / "old" / "pytorch_model.bin"
    torch.save(tensors, path, _use_new_zipfile_serialization=new)
    message = refusal(tmp_path / "old")
    assert "is not a pickle of tensors alone" in message and "posix.system" in message
    assert "weights_only" not in message and not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists(), "the file is not as hostile as it should be"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([torch.ones(2)], "holds list, not names and their tensors"),
        ({}, "holds dict, not names and their tensors"),
        ({"epoch": 3}, "'epoch' is int; names and tensors are read"),
        ({"model": {"a": torch.ones(2), "n": 3}}, "'n' is int; names and tensors are read"),
        ({k: {"a": torch.ones(2)} for k in ("model", "ema")}, "2 sets of tensors: 'model', 'ema';"),
        ({1: torch.ones(2)}, "1 is Tensor; names and tensors are read"),
        ({"a": torch.ones(2).to_sparse()}, "'a' is sparse, quantized or without numbers"),
        ({"a": torch.ones(2, device="meta")}, "'a' is sparse, quantized or without numbers"),
        ({"a": torch.ones(1).expand(10**12)}, "its tensors would have 4,000,000,000,000"),
    ],
)
def test_what_is_no_table_of_tensors_is_refused(content: Any, why: str, tmp_path: Path) -> None:
    pickled("bert", tmp_path / "old")
    torch.save(content, tmp_path / "old" / "pytorch_model.bin")
    with soon():
        assert why in refusal(tmp_path / "old")


@pytest.mark.parametrize("kept", [0, 7, 100, 5000, -1])
@pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])
def test_a_truncated_file_is_refused(kept: int, new: bool, tmp_path: Path) -> None:
    pickled("bert", tmp_path / "old", new)
    path = tmp_path / "old" / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in refusal(tmp_path / "old")


@pytest.mark.parametrize(
    ("changes", "options", "why"),
    [
        ({"model_type": None}, {"family": "bort"}, "no family 'bort': did you mean bert"),
        ({}, {"family": "albert"}, "says that its model_type is 'bert', not 'albert'"),
        ({"model_type": "bort"}, {}, "'bort', which is not known; did you mean bert"),
        ({"hidden_size": 4}, {}, "does not fit the model"),
        ({"hidden_act": "gelus"}, {}, "its hidden_act is 'gelus'; there are gelu"),
        ({"hidden_act": "gelus", "model_type": None}, {}, "has no model_type"),
    ],
)
def test_a_configuration_that_is_not_theirs_is_refused(
    changes: dict[str, Any], options: dict[str, Any], why: str, tmp_path: Path
) -> None:
    pickled("bert", tmp_path / "old")
    said(tmp_path / "old", **changes)
    assert why in refusal(tmp_path / "old", **options)


def test_tensors_of_no_family_are_refused(tmp_path: Path) -> None:
    pickled("bert", tmp_path / "old")
    said(tmp_path / "old", model_type=None, architectures=None)
    torch.save({"weight": torch.ones(2)}, tmp_path / "old" / "pytorch_model.bin")
    assert "say which it is: --family bert|" in refusal(tmp_path / "old")


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    pickled("bert", tmp_path / "old")
    (tmp_path / "new").mkdir()
    convert(tmp_path / "old", tmp_path / "new")
    assert "is there already; name a new folder" in refusal(tmp_path / "old")
    assert "is there already" in refusal(tmp_path / "old", ValueError)


def test_links_that_lead_elsewhere_are_not_followed(tmp_path: Path) -> None:
    pickled("bert", tmp_path / "old")
    (tmp_path / "old" / "vocab.txt").unlink()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "old" / "vocab.txt").symlink_to(tmp_path / "secret")
    assert "vocab.txt is a link that leads elsewhere" in refusal(tmp_path / "old")


def test_what_needs_no_converting_is_said(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    regard.save(MODELS["bert"], tmp_path / "old")
    assert "has safetensors already" in refusal(tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").unlink()
    assert "there is no pytorch_model.bin" in refusal(tmp_path / "old", FileNotFoundError)
