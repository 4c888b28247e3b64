"""Folders of Hugging Face: read whole and as they say, or refused before a tensor is read."""

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import regard
from regard.errors import CheckpointMismatch
from regard.layers import Attend
from regard.models.albert import AlbertMaskedLM, AlbertMaskedLMConfig
from regard.models.bert import Bert, BertConfig, BertMaskedLM, BertMaskedLMConfig
from regard.models.gpt import GptLM, GptLMConfig
from regard.models.llama import LlamaLM, LlamaLMConfig
from regard.models.published import load_published
from regard.models.xlnet import XLNetLM, XLNetLMConfig
from regard.normalizers import sparsemax
from regard.score_mods import RelativeBias
from regard.sequences import Sequences
from tests.hostile.laws import soon

SIZES: dict[str, Any] = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "ff_dim": 6, "layers": 2}
TEXTS = Sequences.of([[4, 8, 5], [6]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small BERT's."""
    regard.save(Bert(BertConfig(**SIZES)), tmp_path)
    return tmp_path


def said(folder: Path, **changes: Any) -> None:
    """Change what `config.json` says; None takes a key out."""
    path = folder / "config.json"
    entries = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in entries.items() if v is not None}))


def changed(folder: Path, **tensors: Any) -> None:
    """Change tensors; None takes one out."""
    path = folder / "model.safetensors"
    found = {**load_file(path), **{name.replace("__", "."): t for name, t in tensors.items()}}
    save_file({name: t for name, t in found.items() if t is not None}, path)


def sharded(folder: Path) -> dict[str, str]:
    """Cut the file in two, with an index."""
    path = folder / "model.safetensors"
    tensors = sorted(load_file(path).items())
    halves = {"a.safetensors": dict(tensors[::2]), "b.safetensors": dict(tensors[1::2])}
    for name, half in halves.items():
        save_file(half, folder / name)
    path.unlink()
    mapped = {tensor: name for name, half in halves.items() for tensor in half}
    indexed(folder, mapped)
    return mapped


def indexed(folder: Path, mapped: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": mapped}))


def refusal(folder: Path, kind: type[Exception] = ValueError) -> str:
    """What is said of a folder, soon, and within 100 MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with soon(), pytest.raises(kind) as caught:
        regard.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_what_is_saved_is_loaded(folder: Path) -> None:
    model = regard.load(folder)
    regard.save(model, folder / "again")
    again = regard.load(folder / "again")
    assert again.config == model.config and not again.training
    assert torch.equal(again(TEXTS), model(TEXTS))


def test_shards_are_one_network(folder: Path) -> None:
    wanted = regard.load(folder)(TEXTS)
    sharded(folder)
    assert torch.equal(regard.load(folder)(TEXTS), wanted)


def test_a_whole_file_counts_before_an_index_beside_it(folder: Path) -> None:
    wanted = regard.load(folder)(TEXTS)
    whole = (folder / "model.safetensors").read_bytes()
    sharded(folder)
    for name in ("a.safetensors", "b.safetensors"):
        tensors = load_file(folder / name)
        save_file({each: tensor + 1 for each, tensor in tensors.items()}, folder / name)
    (folder / "model.safetensors").write_bytes(whole)
    assert torch.equal(regard.load(folder)(TEXTS), wanted)


def test_what_is_saved_over_shards_is_what_is_loaded(folder: Path) -> None:
    sharded(folder)
    first = folder / "model-00001-of-00002.safetensors"
    (folder / "a.safetensors").rename(first)
    mapped = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    indexed(folder, {name: first.name if file[0] == "a" else file for name, file in mapped.items()})
    kept = folder / "model-of-mine.safetensors"
    kept.write_bytes(b"kept")
    model = regard.load(folder)
    with torch.no_grad():
        model.embedding.tokens.weight.add_(1)
    regard.save(model, folder)
    assert torch.equal(regard.load(folder)(TEXTS), model(TEXTS))
    assert not first.exists() and not (folder / "model.safetensors.index.json").exists()
    assert kept.exists()


def test_a_file_in_the_place_of_a_folder_to_save_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file; give a folder to save to"):
        regard.save(Bert(BertConfig(**SIZES)), tmp_path / "file")


@pytest.mark.parametrize(
    ("method", "name", "held"),
    [
        ("gptq", "encoder__layer__0__output__dense__qweight", torch.ones(2, 3, dtype=torch.int32)),
        ("bitsandbytes", "embeddings__absmax", torch.ones(4, dtype=torch.uint8)),
        ("fp8", "pooler__dense__weight", torch.ones(8, 8).to(torch.float8_e4m3fn)),
        (None, "encoder__layer__0__output__dense__weight", torch.ones(8, 6, dtype=torch.int8)),
    ],
)
def test_quantized_weights_are_told_as_such_with_the_way_to_plain_ones(
    method: str | None, name: str, held: torch.Tensor, folder: Path
) -> None:
    changed(folder, **{name: held})
    said(folder, quantization_config={"quant_method": method, "bits": 4})
    by = "" if method is None else f" by '{method}'"
    message = refusal(folder)
    assert f"has weights that are quantized{by} (" in message and f"is {held.dtype})" in message
    assert "model.dequantize() and save_pretrained of transformers" in message


def test_eight_bits_without_scales_are_no_weights(folder: Path) -> None:
    changed(folder, pooler__dense__weight=torch.ones(8, 8).to(torch.float8_e5m2))
    message = refusal(folder)
    assert "'pooler.dense.weight' is torch.float8_e5m2; only floating-point weights" in message


def test_plain_weights_of_a_folder_that_says_how_it_was_quantized_are_read(folder: Path) -> None:
    wanted = regard.load(folder)(TEXTS)
    changed(folder, embeddings__position_ids=torch.arange(512)[None])
    said(folder, quantization_config={"quant_method": "awq"})
    with pytest.warns(UserWarning, match="says quantization_config, which is not read"):
        assert torch.equal(regard.load(folder)(TEXTS), wanted)


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    model = BertMaskedLM(BertMaskedLMConfig(**SIZES)).eval()
    regard.save(model, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert sum(weight.numel() for weight in model.parameters()) == sum(
        tensor.numel() for tensor in stored.values()
    )
    again = regard.load(tmp_path)
    assert again.output.weight is again.encoder.embedding.tokens.weight
    assert torch.equal(again(TEXTS), model(TEXTS))


def test_other_parts_are_saved_in_words_of_ours(folder: Path) -> None:
    attention = regard.load(folder).config.attention.to_entries() | {"normalizer": "sparsemax"}
    model = Bert(BertConfig(**SIZES, attention=type(regard.load(folder).config.attention)(
        **attention))).eval()  # fmt: skip
    regard.save(model, folder)
    assert json.loads((folder / "config.json").read_text())["format"] == 2
    again = regard.load(folder)
    assert again.config.attention.normalizer == "sparsemax"
    assert torch.equal(again(TEXTS), model(TEXTS))


def test_parts_of_ones_own_stand_in_a_published_network(folder: Path) -> None:
    bias = RelativeBias(num_heads=2)
    with torch.no_grad():
        bias.weight.copy_(torch.randn_like(bias.weight))
    model = regard.load(folder, attend=Attend(score_mod=bias, normalizer=sparsemax))
    assert not torch.equal(model(TEXTS), regard.load(folder)(TEXTS))
    assert (model.weights(TEXTS) == 0).any()
    assert not any(weight.is_meta for weight in model.parameters())


def test_a_new_head_starts_fresh_upon_the_body(folder: Path) -> None:
    body = regard.load(folder)
    model = load_published(folder, network="bert_classifier", classes=3)
    assert torch.equal(model.encoder(TEXTS), body(TEXTS)) and model(TEXTS).shape == (2, 3)
    assert model.output.weight.std() > 0 and not model.output.bias.any()


def test_a_body_that_lacks_a_tensor_is_no_body_for_a_head(folder: Path) -> None:
    changed(folder, embeddings__LayerNorm__weight=None)
    with pytest.raises(CheckpointMismatch, match=r"missing: embeddings.LayerNorm.weight"):
        load_published(folder, network="bert_classifier", classes=3)


def test_every_offender_is_named(folder: Path) -> None:
    changed(
        folder,
        embeddings__LayerNorm__weight=None,
        encoder__layer__1__output__dense__bias=torch.zeros(3),
        stranger=torch.zeros(2),
    )
    message = refusal(folder, CheckpointMismatch)
    for name in ("embeddings.LayerNorm.weight", "stranger", "encoder.layer.1.output.dense.bias"):
        assert name in message
    assert "[3] in the file, [8] in the model" in message


def test_tensors_of_other_heads_may_be_there(folder: Path) -> None:
    changed(folder, cls__seq_relationship__bias=torch.zeros(2))
    assert regard.load(folder)(TEXTS).shape == (2, 3, 8)


def test_old_names_of_norms_are_known_and_no_others(folder: Path) -> None:
    wanted = regard.load(folder)(TEXTS)
    norm = load_file(folder / "model.safetensors")["embeddings.LayerNorm.weight"]
    changed(folder, embeddings__LayerNorm__weight=None, embeddings__LayerNorm__gamma=norm)
    assert torch.equal(regard.load(folder)(TEXTS), wanted)
    changed(folder, adapter__gamma=norm)
    assert "unexpected: adapter.gamma" in refusal(folder, CheckpointMismatch)


@pytest.mark.parametrize(
    "file", ["../a.safetensors", "/etc/a.safetensors", "a/../a.safetensors", "a\\b.safetensors",
             "a.bin", "", "a\0.safetensors"]
)  # fmt: skip
def test_an_index_names_files_beside_it_alone(file: str, folder: Path) -> None:
    mapped = sharded(folder)
    indexed(folder, {**mapped, next(iter(mapped)): file})
    assert "which is no file beside it" in refusal(folder)


def test_a_link_that_leads_elsewhere_is_not_followed(folder: Path, tmp_path: Path) -> None:
    sharded(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "a.safetensors").rename(elsewhere / "a.safetensors")
    (folder / "a.safetensors").symlink_to(elsewhere / "a.safetensors")
    assert "a link that leads elsewhere" in refusal(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    sharded(folder)
    (folder / "b.safetensors").unlink()
    assert "lacks 1 of 2 files" in refusal(folder, FileNotFoundError)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 760289\n"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "generation_config.json"])
def test_what_git_leaves_in_the_place_of_a_file_is_told(name: str, folder: Path) -> None:
    (folder / name).write_bytes(POINTER)
    message = refusal(folder)
    assert name in message and "a pointer of Git LFS, and not the file itself; fetch" in message


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    sharded(folder)
    both = load_file(folder / "a.safetensors") | load_file(folder / "b.safetensors")
    save_file(both, folder / "b.safetensors")
    assert "stands in both" in refusal(folder)


def test_an_index_that_tells_another_file_is_refused(folder: Path) -> None:
    mapped = sharded(folder)
    first = next(name for name, file in mapped.items() if file == "a.safetensors")
    indexed(folder, {**mapped, first: "b.safetensors"})
    assert f"do not agree on where 1 tensors are: {first}" in refusal(folder)


def test_repeated_keys_of_a_header_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    name = next(iter(json.loads(header)))
    entry = json.dumps({name: json.loads(header)[name]})[1:-1].encode()
    header = header[:-1] + b"," + entry + b"}"
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    assert "stands twice" in refusal(folder)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("hidden_size", 2**40, "embed_dim must be at least 1"),
        ("num_hidden_layers", 10**30, "layers must be at least 1"),
        ("num_hidden_layers", 999, "more weights than are in the files"),
        ("vocab_size", -1, "vocab must be at least 1"),
        ("hidden_size", "8", "embed_dim must be a whole number, got '8'"),
        ("hidden_act", ["gelu"], "its hidden_act is"),
        ("hidden_act", "gelus", "its hidden_act is 'gelus'; there are gelu"),
        ("num_attention_heads", 3, "embed_dim 8 is not divisible by num_heads 3"),
        ("position_embedding_type", "relative_key", "which is not computed here"),
        ("model_type", "bort", "'bort', which is not known; did you mean bert"),
        ("architectures", ["BertForFun"], "architecture 'BertForFun' is not known"),
        ("architectures", [{}], "which are no names"),
    ],
)
def test_what_a_configuration_cannot_say_is_refused(
    key: str, value: Any, why: str, folder: Path
) -> None:
    said(folder, **{key: value})
    assert why in refusal(folder)


def test_a_word_that_nobody_reads_is_told(folder: Path) -> None:
    said(folder, sliding_attention=True)
    with pytest.warns(UserWarning, match=r"config.json says sliding_attention, which is not read"):
        regard.load(folder)


def test_deep_json_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000 + "]" * 100_000)
    assert "nested" in refusal(folder)


def test_a_pickle_is_not_opened(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "a pickle, which is not opened here" in refusal(folder)


def test_whole_numbers_are_no_weights(folder: Path) -> None:
    changed(folder, embeddings__LayerNorm__weight=torch.ones(8, dtype=torch.long))
    changed(folder, embeddings__LayerNorm__bias=torch.ones(8, dtype=torch.int8))
    assert "and 1 more; only floating-point weights are read, of 16 bits" in refusal(folder)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(kept: int, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged or no safetensors file" in refusal(folder)


def test_what_the_embedding_does_not_have_is_named(folder: Path) -> None:
    model = regard.load(folder)
    with pytest.raises(ValueError, match="token 11 is not among the 11 that the embedding has"):
        model(Sequences.of([[3, 11]]))
    with pytest.raises(ValueError, match="513 positions are needed, but max_length is 512"):
        model(Sequences.of([[3] * 513]))


def test_an_old_configuration_is_known_by_its_architecture(folder: Path) -> None:
    model = regard.load(folder)
    said(folder, model_type=None, architectures=["BertModel"])
    assert regard.load(folder).config == model.config
    said(folder, architectures=None)
    assert "it does not say its model_type; add the one of bert, albert" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "kin"),
    [("mistral", "llama"), ("roberta", "bert"), ("deberta-v2", "bert"), ("qwen2", "llama"),
     ("distilbert", "bert"), ("gpt_neox", "gpt2"), ("mt5", "t5"), ("deit", "vit"),
     (["bert"], "bert"), ({"a": 1}, "bert")],
)  # fmt: skip
def test_a_family_that_is_not_known_is_told_with_the_nearest(
    name: Any, kin: str, folder: Path
) -> None:
    said(folder, model_type=name)
    message = refusal(folder)
    assert "which is not known" in message and kin in message


def test_several_dtypes_become_the_one_that_holds_them(folder: Path) -> None:
    whole = regard.load(folder)
    tensors = load_file(folder / "model.safetensors")
    half = {name: t.half() if "attention" in name else t for name, t in tensors.items()}
    save_file(half, folder / "model.safetensors")
    model = regard.load(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model(TEXTS), whole(TEXTS), atol=1e-2, rtol=0)
    save_file({name: t.half() for name, t in tensors.items()}, folder / "model.safetensors")
    assert {weight.dtype for weight in regard.load(folder).parameters()} == {torch.float16}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (["model.onnx"], "it holds model.onnx, of which the network has to be saved as model.safe"),
        (["tf_model.h5", "flax_model.msgpack"], "it holds flax_model.msgpack, tf_model.h5, of"),
        (["model.fp16.safetensors"], "if model.fp16.safetensors is its weights, rename it"),
        (["adapter_config.json", "adapter_model.safetensors"], "an adapter, which needs the netw"),
    ],
)
def test_what_a_folder_has_in_the_place_of_weights_is_named(
    files: list[str], why: str, folder: Path
) -> None:
    (folder / "model.safetensors").unlink()
    for name in files:
        (folder / name).write_bytes(b"{}")
    assert why in refusal(folder, FileNotFoundError)
    (folder / "config.json").unlink()
    assert "there is no config.json in" in (message := refusal(folder, FileNotFoundError))
    assert why in message


def test_a_file_in_the_place_of_its_folder_is_told(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"is a file; give the folder .* {folder}$"):
        regard.load(folder / "model.safetensors")


def test_the_folder_in_which_one_stands_is_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    wanted = regard.load(folder)(TEXTS)
    for here in (".", "", Path(".")):
        assert torch.equal(regard.load(here)(TEXTS), wanted)


LM: dict[str, tuple[str, str]] = {
    "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "albert": ("albert.embeddings.word_embeddings.weight", "predictions.decoder.weight"),
    "gpt": ("transformer.wte.weight", "lm_head.weight"),
    "llama": ("model.embed_tokens.weight", "lm_head.weight"),
    "xlnet": ("transformer.word_embedding.weight", "lm_loss.weight"),
}
"""Where the embedding stands in their files, and where its copy may."""


def tied_network(family: str) -> Any:
    """A small language model whose output layer is its embedding."""
    small = {"vocab": 11, "embed_dim": 8, "num_heads": 2, "layers": 1}
    match family:
        case "bert":
            return BertMaskedLM(BertMaskedLMConfig(**small, ff_dim=6))
        case "albert":
            return AlbertMaskedLM(AlbertMaskedLMConfig(**small, ff_dim=6, token_dim=4))
        case "gpt":
            return GptLM(GptLMConfig(**small))
        case "llama":
            return LlamaLM(LlamaLMConfig(**small, ff_dim=6, tied=True))
    return XLNetLM(XLNetLMConfig(**small, ff_dim=6))


@pytest.mark.parametrize("family", LM)
def test_of_tied_weights_the_files_may_hold_either_and_not_two(family: str, tmp_path: Path) -> None:
    model = tied_network(family).eval()
    regard.save(model, tmp_path)
    embedding, output = LM[family]
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    weight = tensors.pop(embedding)
    for some in ({output: weight}, {output: weight.clone(), embedding: weight}):
        save_file({**tensors, **some}, path)
        found = regard.load(tmp_path).state_dict()
        assert found.keys() == model.state_dict().keys()
        assert all(torch.equal(found[name], each) for name, each in model.state_dict().items())
    save_file({**tensors, output: weight + 1, embedding: weight}, path)
    assert f"{output} is not the {embedding}" in refusal(tmp_path)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("family", LM)
def test_ids_that_are_no_rows_of_whole_numbers_are_refused(family: str) -> None:
    model = tied_network(family).eval()
    for no_tensor in ([[4, 5]], np.array([[4, 5]]), "4 5", None):
        with pytest.raises(TypeError, match=r"reads token ids \[batch, len\] as a tensor, .*, got"):
            model(no_tensor)
    with pytest.raises(TypeError, match=r"whole numbers \(torch.long\), got torch.bool"):
        model(Sequences(torch.tensor([[True, False]])))  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"must be \[batch, len\], got \[2\]; one text is ids\[None"
    ):
        model(Sequences(torch.tensor([4, 5])))
