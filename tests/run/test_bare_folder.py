"""A Hugging Face folder with labels is asked as it is, and keeps their names on every way."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.cli import main
from regard.data.encoding.tokenizer import Tokenizer
from regard.run.run import Run
from tests.parity.hugging_face import random_network, transformers
from tests.run.test_fine_tuning import FILMS, PIECES, QUIET, STILL
from tests.run.test_fine_tuning_writers import gpt2_tokenizer

LABELS = {0: "bad", 1: "so so", 2: "good"}
TEXTS = ["a good film", "bad, bad film"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(FILMS)


def bert(kind: str = "BertForSequenceClassification", **more: Any) -> tuple[Any, Path]:
    config = transformers.BertConfig(**{
        "vocab_size": len(PIECES), "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 40,
        "id2label": LABELS, "label2id": {name: n for n, name in LABELS.items()}, **more,
    })  # fmt: skip
    theirs, folder = random_network(getattr(transformers, kind), config, seed=3), Path("bare")
    theirs.save_pretrained(folder)
    Tokenizer.of_bert(PIECES).save(folder / "tokenizer.json")
    return theirs, folder


def said(answer: Any) -> dict[str, float]:
    return dict(answer.answers)


def test_a_bare_folder_answers_with_the_labels_and_numbers_of_theirs() -> None:
    theirs, folder = bert()
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    for text, answer in zip(TEXTS, Run(folder).predict(TEXTS, 3), strict=True):
        ids = tokenizer.sequences([text]).ids
        wanted = theirs(ids).logits[0].log_softmax(-1).tolist()
        assert said(answer) == pytest.approx(
            dict(zip(LABELS.values(), wanted, strict=True)), abs=1e-5
        )
        assert answer.weights is not None and answer.inputs[0] == "[CLS]"


def test_a_bare_folder_is_asked_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = bert()
    capsys.readouterr()
    assert main(["predict", str(folder), TEXTS[0], "--json"]) == 0
    best = Run(folder).predict(TEXTS[:1])[0].best
    assert best in LABELS.values() and json.dumps(best) in capsys.readouterr().out


def test_gpt2s_label_is_that_of_the_last_token() -> None:
    made, folder = gpt2_tokenizer(), Path("gpt2")
    config = transformers.GPT2Config(
        vocab_size=made.get_vocab_size() + 3, n_positions=40, n_embd=16, n_layer=2, n_head=2,
        id2label=LABELS, pad_token_id=0,
    )  # fmt: skip
    theirs = random_network(transformers.GPT2ForSequenceClassification, config)
    theirs.save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    for text, answer in zip(TEXTS, Run(folder).predict(TEXTS, 3), strict=True):
        wanted = theirs(torch.tensor([made.encode(text).ids])).logits[0].log_softmax(-1).tolist()
        assert said(answer) == pytest.approx(
            dict(zip(LABELS.values(), wanted, strict=True)), abs=1e-5
        )


def test_words_are_tagged_by_their_first_piece() -> None:
    theirs, folder = bert("BertForTokenClassification")
    (answer,) = Run(folder).predict(["a good film"])
    ids = Tokenizer.load(folder / "tokenizer.json").sequences(["a good film"]).ids
    best = theirs(ids).logits[0, 1:-1].argmax(-1).tolist()
    assert answer.outputs == tuple(
        f"{word}/{LABELS[tag]}" for word, tag in zip(TEXTS[0].split(), best, strict=True)
    )


def test_labels_without_names_are_numbered() -> None:
    _, folder = bert(id2label={0: "LABEL_0", 1: "LABEL_1"}, label2id={"LABEL_0": 0, "LABEL_1": 1})
    assert regard.load(folder).config.labels == ()
    assert Run(folder).predict(TEXTS)[0].best in ("LABEL_0", "LABEL_1")


def test_names_of_labels_are_loaded_and_saved() -> None:
    _, folder = bert()
    model = regard.load(folder)
    assert model.config.labels == tuple(LABELS.values()) and model.config.classes == 3
    regard.save(model, "ours")
    theirs = transformers.AutoConfig.from_pretrained("ours")
    assert theirs.id2label == LABELS and theirs.label2id == {n: k for k, n in LABELS.items()}
    again = regard.load("ours")
    assert again.config == model.config


def test_a_run_knows_the_names_that_it_learned() -> None:
    _, folder = bert()
    run = regard.train("films.csv", start=str(folder), out="run", options=QUIET, **STILL)
    assert run.model.config.labels == ("neg", "pos")
    regard.save(run.model, "ours")
    Tokenizer.load(folder / "tokenizer.json").save(Path("ours/tokenizer.json"))
    assert transformers.AutoConfig.from_pretrained("ours").id2label == {0: "neg", 1: "pos"}
    asked = [said(each) for each in run.predict(TEXTS, 2)]
    for one, other in zip(Run("ours").predict(TEXTS, 2), asked, strict=True):
        assert said(one) == pytest.approx(other, abs=1e-5)
    regard.save(regard.load("run"), "again")
    assert json.loads(Path("again/config.json").read_text())["label2id"] == {"neg": 0, "pos": 1}


def test_another_number_of_labels_has_no_names() -> None:
    from regard.models.published import load_published

    _, folder = bert("BertModel")
    model = load_published(folder, network="bert_classifier", classes=5)
    assert model.config.classes == 5 and model.config.labels == ()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": "BertModel"}, "holds bert, which has no labels .* train --from bare --data FILE"),
        ({"kind": "BertForMaskedLM"}, "holds bert_masked_lm, which has no labels"),
        ({"problem_type": "regression", "num_labels": 1}, "is for regression, with one number"),
        ({"problem_type": "multi_label_classification"}, "is for 'multi_label_classification'"),
        ({"id2label": {0: "a", 1: "a"}}, "calls two labels 'a'; give them different names"),
        ({"vocab_size": len(PIECES) - 1}, "has .* tokens, and an embedding of"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_sentence(more: dict[str, Any], message: str) -> None:
    if "num_labels" in more or "id2label" in more:
        more = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}, **more}
    _, folder = bert(**more)
    with pytest.raises(ValueError, match=message):
        Run(folder).predict(TEXTS)


def test_a_bare_folder_without_tokens_says_what_to_copy() -> None:
    _, folder = bert()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="no tokenizer.json, vocab.txt, .* in bare; copy"):
        Run(folder).predict(TEXTS)


def test_a_folder_with_pairs_of_bytes_alone_answers_as_with_its_whole_tokenizer() -> None:
    made, folder = gpt2_tokenizer(), Path("gpt2")
    config = transformers.GPT2Config(
        vocab_size=made.get_vocab_size() + 3, n_positions=40, n_embd=16, n_layer=2, n_head=2,
        id2label=LABELS, pad_token_id=0,
    )  # fmt: skip
    random_network(transformers.GPT2ForSequenceClassification, config).save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    wanted = [said(each) for each in Run(folder).predict(TEXTS, 3)]
    (folder / "tokenizer.json").unlink()
    made.model.save(str(folder))
    assert [said(each) for each in Run(folder).predict(TEXTS, 3)] == wanted
    again = regard.train("films.csv", start=str(folder), out="run", options=QUIET, **STILL)
    assert len(again.predict(TEXTS)) == 2 and Path("run/best/tokenizer.json").exists()


def test_an_option_of_tokens_is_told_with_its_file_and_its_name() -> None:
    _, folder = bert()
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": "no"}')
    with pytest.raises(ValueError) as caught:
        Run(folder).predict(TEXTS)
    path = folder / "tokenizer_config.json"
    assert (
        str(caught.value) == f"{path} says do_lower_case is 'no', which is neither true nor false"
    )
