"""A published folder whose head is not known gives its body, and what is left out is said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.run.run import Run
from regard.run.training import Options
from tests.parity.hugging_face import transformers
from tests.run.test_fine_tuning import FILMS, PIECES, STILL
from tests.run.test_fine_tuning_writers import t5_tokenizer

BERT = {
    "vocab_size": len(PIECES), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 40,
}  # fmt: skip
GPT2 = {"vocab_size": len(PIECES), "n_positions": 40, "n_embd": 16, "n_layer": 2, "n_head": 2}
XLNET = {"vocab_size": len(PIECES), "d_model": 12, "n_layer": 2, "n_head": 3, "d_inner": 17}
HEADS: dict[str, tuple[str, dict[str, Any], str]] = {
    "BertForMultipleChoice": ("BertConfig", BERT, "classifier"),
    "BertForNextSentencePrediction": ("BertConfig", BERT, "cls.seq_relationship"),
    "AlbertForMultipleChoice": ("AlbertConfig", {**BERT, "embedding_size": 8}, "classifier"),
    "XLNetForMultipleChoice": ("XLNetConfig", XLNET, "logits_proj"),
    "GPT2DoubleHeadsModel": ("GPT2Config", GPT2, "multiple_choice_head.summary"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(FILMS)


def published(kind: str, config: Any) -> tuple[Any, Path]:
    torch.manual_seed(1)
    theirs, folder = getattr(transformers, kind)(config), Path("theirs")
    theirs.save_pretrained(folder)
    Tokenizer.of_bert(PIECES).save(folder / "tokenizer.json")
    return theirs, folder


def tuned(folder: Path, data: str = "films.csv") -> Run:
    return regard.train(data, start=str(folder), out="run", options=Options(), **STILL)


def body(model: Any) -> dict[str, torch.Tensor]:
    """Its weights but those of the output and of what sums up the tokens."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if "output" not in name.split(".")[:1] and "summarizer" not in name
    }


@pytest.mark.parametrize("kind", HEADS)
def test_the_body_of_an_unknown_head_is_taken_over(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, sizes, head = HEADS[kind]
    _, folder = published(kind, getattr(transformers, name)(**sizes))
    run = tuned(folder)
    said = re.findall(r"left out are (.*)\.", capsys.readouterr().out)[0]
    assert f"{head}.weight" in said and f"{head}.bias" in said
    entries = json.loads((folder / "config.json").read_text())
    known = run.settings.model_name
    entries["architectures"] = [kind.replace("ForMultipleChoice", "Model")]
    if kind in ("BertForNextSentencePrediction", "GPT2DoubleHeadsModel"):
        entries["architectures"] = [f"{kind[:4]}Model"]
    (folder / "config.json").write_text(json.dumps(entries))
    wanted = regard.load(folder).state_dict()
    found = {name.removeprefix("encoder."): each for name, each in body(run.model).items()}
    assert known.endswith("_classifier") and len(found) >= len(wanted) - 2
    for name, tensor in found.items():
        near = wanted.get(name, wanted.get(f"encoder.{name}"))
        assert near is not None and torch.allclose(tensor, near, atol=1e-6), name


def test_the_pooler_comes_with_the_body() -> None:
    theirs, folder = published("BertForMultipleChoice", transformers.BertConfig(**BERT))
    pooler = tuned(folder).model.encoder.pooler.weight
    assert torch.allclose(pooler, theirs.bert.pooler.dense.weight, atol=1e-6)


@pytest.mark.parametrize("place", ["", "backbone.", "module.text.encoder."])
def test_a_body_is_found_under_any_name(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs, folder = published("BertModel", transformers.BertConfig(**BERT))
    entries = json.loads((folder / "config.json").read_text())
    entries["architectures"] = ["RankerOfOurs"]
    (folder / "config.json").write_text(json.dumps(entries))
    tensors = load_file(folder / "model.safetensors")
    named = {place + name: tensor for name, tensor in tensors.items()}
    save_file({**named, "ranker.weight": torch.ones(3)}, folder / "model.safetensors")
    run = tuned(folder)
    assert "left out are ranker.weight." in capsys.readouterr().out
    found = run.model.encoder.embedding.tokens.weight
    assert torch.allclose(found, theirs.embeddings.word_embeddings.weight, atol=1e-6)


def test_a_classifier_of_t5_gives_its_encoder_and_decoder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = t5_tokenizer()
    config = transformers.T5Config(
        vocab_size=made.get_vocab_size(), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        dropout_rate=0.0, decoder_start_token_id=0,
    )  # fmt: skip
    theirs, folder = published("T5ForSequenceClassification", config)
    made.save(str(folder / "tokenizer.json"))
    Path("pairs.tsv").write_text("".join(f"ab c{n % 3}\tc{n % 3} ba\n" for n in range(40)))
    run = tuned(folder, "pairs.tsv")
    said = capsys.readouterr().out
    assert "left out are classification_head.dense.bias" in said and run.model.config.tied
    wanted = theirs.transformer.shared.weight
    assert torch.allclose(run.model.encoder.tokens.weight, wanted, atol=1e-6)


def test_what_is_not_in_the_body_is_refused_by_name() -> None:
    _, folder = published("BertForMultipleChoice", transformers.BertConfig(**BERT))
    tensors = load_file(folder / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.bias"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"bert\.encoder\.layer\.1\.output\.dense\.bias"):
        tuned(folder)


def test_a_family_that_is_not_known_has_no_body_to_take() -> None:
    sizes = {k: v for k, v in BERT.items() if k != "max_position_embeddings"}
    _, folder = published("CLIPTextModel", transformers.CLIPTextConfig(**sizes))
    with pytest.raises(UsageError, match="its model_type is 'clip_text_model', which is not known"):
        tuned(folder)


def test_a_head_that_is_not_known_is_not_loaded_as_a_body() -> None:
    _, folder = published("BertForMultipleChoice", transformers.BertConfig(**BERT))
    said = r"'BertForMultipleChoice' is not known; .* \(regard train --from begins with its body"
    with pytest.raises(ValueError, match=said):
        regard.load(folder)
