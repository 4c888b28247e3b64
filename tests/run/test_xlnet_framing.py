"""XLNet's texts end in `<cls>`, which is of a segment of its own, 2, as its tokenizer says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.run.run import Run
from tests.parity.hugging_face import random_network, transformers
from tests.run.test_fine_tuning import FILMS, QUIET, STILL

tokenizers = pytest.importorskip("tokenizers")
TEXTS = ["good film abc", "bad play"]
LABELS = {0: "bad", 1: "good", 2: "so so"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(FILMS)


def xlnet_tokenizer() -> Any:
    specials = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
    letters = sorted(set("".join(FILMS.split())))
    pieces = [*((each, 0.0) for each in specials), ("▁", -2.0), *((each, -3.0) for each in letters)]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=0))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    made.add_special_tokens(specials)
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2",
        pair="$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        special_tokens=[("<sep>", 4), ("<cls>", 3)],
    )
    return made


def folder() -> tuple[Any, Any, Path]:
    made, place = xlnet_tokenizer(), Path("xlnet")
    config = transformers.XLNetConfig(
        vocab_size=made.get_vocab_size(), d_model=12, n_layer=2, n_head=3, d_inner=17,
        id2label=LABELS, label2id={name: n for n, name in LABELS.items()},
    )  # fmt: skip
    theirs = random_network(transformers.XLNetForSequenceClassification, config)
    theirs.save_pretrained(place)
    made.save(str(place / "tokenizer.json"))
    return made, theirs, place


def asked(made: Any, theirs: Any, *texts: str) -> torch.Tensor:
    encoded = made.encode(*texts)
    assert 2 in encoded.type_ids
    ids, kinds = torch.tensor([encoded.ids]), torch.tensor([encoded.type_ids])
    found: torch.Tensor = theirs(ids, token_type_ids=kinds).logits[0].log_softmax(-1)
    return found


def test_texts_are_read_with_the_segments_of_the_tokenizer() -> None:
    made, theirs, place = folder()
    tokenizer = Tokenizer.load(place / "tokenizer.json")
    assert tokenizer.frame.alone == (3,)
    read = tokenizer.sequences(TEXTS)
    for row, text in enumerate(TEXTS):
        length, encoded = read.counts[row], made.encode(text)
        assert read.ids[row, :length].tolist() == encoded.ids
        assert read.segments[row, :length].tolist() == encoded.type_ids
    found = regard.load(place)(read).log_softmax(-1)
    for row, text in enumerate(TEXTS):
        assert torch.allclose(found[row], asked(made, theirs, text), atol=1e-5)


def test_a_bare_folder_answers_as_theirs() -> None:
    made, theirs, place = folder()
    for text, answer in zip(TEXTS, Run(place).predict(TEXTS, 3), strict=True):
        wanted = dict(zip(LABELS.values(), asked(made, theirs, text).tolist(), strict=True))
        assert dict(answer.answers) == pytest.approx(wanted, abs=1e-5)


def test_a_run_reads_pairs_of_two_segments_and_a_third() -> None:
    made, theirs, place = folder()
    rows = [line.split(",") for line in FILMS.splitlines()[1:]]
    lines = "".join(f"{text},{text[:3]},{label}\n" for text, label in rows)
    Path("both.csv").write_text("left,right,label\n" + lines)
    run = regard.train(
        "both.csv", start=str(place), out="run", task="match", options=QUIET, **STILL
    )
    assert run.model.config.alone == (3,)
    theirs.logits_proj.weight.data = run.model.output.weight.data.clone()
    theirs.logits_proj.bias.data = run.model.output.bias.data.clone()
    (answer,) = Run("run").predict([tuple(TEXTS)], 2)
    wanted = asked(made, theirs, *TEXTS).tolist()
    found = dict(answer.answers)
    labels = run.predictor.coder.labels
    assert found == pytest.approx(dict(zip(labels, wanted, strict=True)), abs=1e-5)
    regard.save(run.model, "ours")
    assert json.loads(Path("ours/config.json").read_text())["model_type"] == "xlnet"
    assert "format" not in json.loads(Path("ours/config.json").read_text())


def test_a_run_reads_texts_of_one_segment_and_a_third() -> None:
    made, theirs, place = folder()
    run = regard.train("films.csv", start=str(place), out="run", options=QUIET, **STILL)
    theirs.logits_proj.weight.data = run.model.output.weight.data.clone()
    theirs.logits_proj.bias.data = run.model.output.bias.data.clone()
    (answer,) = run.predict(TEXTS[:1], 2)
    wanted = asked(made, theirs, TEXTS[0]).tolist()
    labels = run.predictor.coder.labels
    assert dict(answer.answers) == pytest.approx(dict(zip(labels, wanted, strict=True)), abs=1e-5)


def test_the_pre_training_of_xlnet_goes_on_with_all_its_weights() -> None:
    made, place = xlnet_tokenizer(), Path("xlnet")
    config = transformers.XLNetConfig(
        vocab_size=made.get_vocab_size() + 3, d_model=12, n_layer=2, n_head=3, d_inner=17
    )
    theirs = random_network(transformers.XLNetLMHeadModel, config)
    theirs.save_pretrained(place)
    made.save(str(place / "tokenizer.json"))
    Path("book.txt").write_text("good film now and then. " * 99)
    given = {"task": "permutation_lm", "block": 16, "batch_size": 4}
    run = regard.train("book.txt", start=str(place), out="run", options=QUIET, **STILL, **given)
    assert run.settings.model_name == "xlnet_lm" and run.settings.task.tokens.tag == "given"
    assert run.model.config.vocab == made.get_vocab_size() + 3
    for name, tensor in regard.load(place).state_dict().items():
        assert torch.allclose(tensor, run.model.state_dict()[name], atol=1e-6), name
    (answer,) = Run("run").predict(["good<mask>film"])
    ids = made.encode("good", add_special_tokens=False).ids
    row = [*ids, 0, *made.encode("film", add_special_tokens=False).ids]
    hidden, wanted = torch.zeros(1, len(row), len(row)), torch.zeros(1, 1, len(row))
    hidden[:, :, len(ids)] = wanted[:, :, len(ids)] = 1
    logits = theirs(torch.tensor([row]), perm_mask=hidden, target_mapping=wanted).logits
    assert answer.answers[0][1] == pytest.approx(
        float(logits.detach().log_softmax(-1).max()), abs=1e-4
    )
