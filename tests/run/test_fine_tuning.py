"""Fine-tuning: a run that begins with the body of a Hugging Face folder."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.errors import UsageError
from regard.models.bert import (
    Bert,
    BertClassifier,
    BertClassifierConfig,
    BertConfig,
    BertMaskedLM,
    BertMaskedLMConfig,
)
from regard.run.run import Run
from regard.run.training import Options
from regard.sequences import Sequences

QUIET = Options(progress=False)
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz.,?!0123456789",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("good", "bad", "film", "a", "b", "play")[:3],
]
SIZES: dict[str, Any] = {
    **{"vocab": len(PIECES), "max_length": 40, "embed_dim": 8, "num_heads": 2, "layers": 2},
    **{"ff_dim": 16, "dropout": 0.0},
}
STILL = {"learning_rate": 1e-12, "weight_decay": 0.0, "steps": 1}
"""Settings with which the weights stay what they are, near enough."""
FILMS = "text,label\n" + "".join(
    f"{one} {what} {other},{'pos' if one == 'good' else 'neg'}\n"
    for one in ("good", "bad")
    for what in ("film", "play", "book")
    for other in ("abc", "Def!", "xyz 12", "now and then")
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(FILMS)


def published(network: Any = Bert, kind: Any = BertConfig, **more: Any) -> Path:
    """A folder as Hugging Face has them, of a small random network."""
    torch.manual_seed(1)
    folder = Path("published")
    regard.save(network(kind(**{**SIZES, **more})), folder)
    Tokenizer.of_bert(PIECES).save(folder / "tokenizer.json")
    return folder


def tuned(start: Path, data: str = "films.csv", out: str = "run", **given: Any) -> Run:
    options = given.pop("options", QUIET)
    return regard.train(data, start=str(start), out=out, options=options, **{**STILL, **given})


def test_the_body_is_taken_over_and_the_head_is_new_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = published()
    run = tuned(folder, options=Options())
    said = capsys.readouterr().out
    whole, count, new = re.findall(r"with published: (\d+) of (\d+) .*; new are (.*)\.", said)[0]
    assert int(whole) == int(count) - 2 and "output.weight" in new and "output.bias" in new
    assert run.settings.model_name == "bert_classifier"
    body, found = regard.load(folder).state_dict(), run.model.encoder.state_dict()
    assert body.keys() == found.keys()
    for name, tensor in body.items():
        assert torch.allclose(tensor, found[name], atol=1e-6), name
    assert run.model.config.max_length == 40 and run.settings.task.longest == 40


def test_texts_are_read_with_the_special_tokens_of_the_folder() -> None:
    run = tuned(published())
    (answer,) = run.predict(["A good film?"])
    assert answer.inputs == ("[CLS]", "a", "good", "film", "?", "[SEP]")
    coder = run.predictor.coder
    (row,) = coder.texts.encode(["good " * 100], 7)
    assert coder.tokenizer.tokens(row.tolist()) == ["[CLS]", *["good"] * 5, "[SEP]"]
    assert coder.texts.encode([""]).lengths.tolist() == [0]


def test_long_texts_are_cut_to_the_positions_and_keep_their_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("films.csv").write_text(FILMS + ("good film " * 50 + ",pos\n") * 3)
    tuned(published(), options=Options())
    assert re.search(r"training texts have more than 40 tokens", capsys.readouterr().out)
    with pytest.raises(UsageError, match="has positions for 40; give a smaller longest, 40 at"):
        tuned(published(), out="other", longest=41)
    assert not Path("other").exists()


def test_a_run_is_asked_and_goes_on_from_its_own_folder_alone() -> None:
    folder = published()
    run = tuned(folder, epochs=4, steps=None, learning_rate=1e-2, least_steps=0)
    asked = run.predict(["good film"])[0].answers
    shutil.rmtree(folder)
    again = Run("run")
    assert again.predict(["good film"])[0].answers == asked
    assert set(again.evaluate("films.csv")) >= {"accuracy", "loss"}
    again.resume(epochs=5, options=QUIET)
    again.export("safetensors", "weights.safetensors")
    assert Run("run").predict(["good film"])[0].best in ("pos", "neg")


def test_fine_tuning_learns() -> None:
    run = tuned(published(), steps=80, evaluate_every=80, learning_rate=2e-2)
    assert run.evaluate("films.csv")["accuracy"] == 1.0


def test_labels_keep_their_rows_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    folder = published(BertClassifier, BertClassifierConfig, classes=3)
    entries = json.loads((folder / "config.json").read_text())
    entries["id2label"] = {"0": "pos", "1": "other", "2": "neg"}
    (folder / "config.json").write_text(json.dumps(entries))
    run = tuned(folder)
    rows, old = run.model.output.weight, regard.load(folder).output.weight
    assert run.predictor.coder.labels == ("neg", "pos")
    assert torch.allclose(rows, old[[2, 0]], atol=1e-6)
    entries["id2label"] = {"0": "x", "1": "y", "2": "z"}
    (folder / "config.json").write_text(json.dumps(entries))
    tuned(folder, out="other", options=Options())
    assert "new are output.weight (3 classes there, 2 here)" in capsys.readouterr().out


def test_a_masked_language_model_gives_its_body() -> None:
    folder = published(BertMaskedLM, BertMaskedLMConfig)
    run, old = tuned(folder), regard.load(folder)
    new = run.model.encoder.state_dict()
    for name, tensor in old.encoder.state_dict().items():
        assert torch.allclose(tensor, new[name], atol=1e-6), name


def test_a_vocabulary_alone_reads_as_its_tokenizer_does() -> None:
    folder = published()
    run = tuned(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    plain = tuned(folder, out="plain")
    texts = ["Good film, DÉF!", "bad"]
    numbers = [r.predictor.coder.texts.encode(texts).values.tolist() for r in (run, plain)]
    assert numbers[0] == numbers[1]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    cased = tuned(folder, out="cased").predictor.coder.tokenizer
    assert cased.tokens(cased.encode(["Good"]).values.tolist()) == ["[UNK]"]
    (folder / "vocab.txt").unlink()
    with pytest.raises(UsageError, match="there is no tokenizer.json, vocab.txt, .* in published"):
        tuned(folder, out="none")


def test_a_run_may_begin_with_a_tokenizer_of_many_tokens() -> None:
    folder = published()
    path = folder / "tokenizer.json"
    path.write_text(path.read_text() + " " * 17 * 2**20)
    assert tuned(folder).predict(["good film"])[0].best in ("pos", "neg")


def test_every_token_needs_a_row_of_the_embedding() -> None:
    folder = published(vocab=len(PIECES) - 2)
    count = len(PIECES)
    said = f"has {count} tokens, and an embedding of {count - 2}; the tokenizer is another network"
    with pytest.raises(UsageError, match=said):
        tuned(folder)


def test_rows_behind_the_tokens_stay_where_they_are() -> None:
    run = tuned(published(vocab=len(PIECES) + 2))
    assert run.model.config.vocab == len(PIECES) + 2
    asked = run.predict(["good film"])[0].answers
    assert Run("run").predict(["good film"])[0].answers == asked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "lstm"}, "becomes bert_classifier for classify, not lstm"),
        ({"recipe": "lstm"}, "becomes bert_classifier for classify, not lstm"),
        ({"layers": 3}, "has model.layers 2, and 3 is asked for"),
        ({"tokens": "bpe"}, "has tokens of its own; leave tokens out"),
        ({"task": "translate"}, "is a bert, which learns classify, .* and not translate"),
    ],
)
def test_what_the_folder_does_not_have_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tuned(published(), **given)
    assert not Path("run").exists()


def test_given_tokens_need_something_to_begin_with() -> None:
    with pytest.raises(UsageError, match="tokens=given are those of a network"):
        regard.train("films.csv", tokens="given", out="run", options=QUIET, steps=1)


def test_the_parts_of_the_attention_may_be_others() -> None:
    run = tuned(published(), normalizer="entmax(1.3)", dropout=0.2)
    assert run.model.config.attention.normalizer == "entmax(1.3)"
    assert run.model.config.dropout == 0.2


def test_several_labels_and_numbers_are_learned_upon_it_too() -> None:
    folder = published()
    rows = [line.split(",")[0] for line in FILMS.splitlines()[1:]]
    both = "text,labels\n" + "".join(
        f"{text},{'|'.join(w for w in ('good', 'film') if w in text)}\n" for text in rows
    )
    Path("labels.csv").write_text(both)
    run = tuned(folder, "labels.csv", out="labels", task="multilabel")
    assert run.model.config.classes == 2 and run.model.config.tag == "bert_classifier"
    Path("stars.csv").write_text(
        "text,stars\n" + "".join(f"{text},{n % 5 + 0.5}\n" for n, text in enumerate(rows))
    )
    run = tuned(folder, "stars.csv", out="stars", task="regress")
    assert run.model.config.classes == 1
    assert float(run.predict(["good film"])[0].best) > -100


PAIRS = "left,right,label\n" + "".join(
    f"{one} film,{other} play,{'yes' if one == other else 'no'}\n"
    for one in ("good", "bad", "abc")
    for other in ("good", "bad", "abc", "def")
)


def test_pairs_are_read_as_one_text_of_two_segments() -> None:
    Path("pairs.csv").write_text(PAIRS)
    run = tuned(published(), "pairs.csv", task="match")
    coder = run.predictor.coder
    assert coder.longest == 20 and run.model.config.max_length == 40
    (answer,) = run.predict([("good film", "bad")])
    assert answer.inputs == ("[CLS]", "good", "film", "[SEP]")
    assert answer.outputs == ("bad", "[SEP]") and answer.weights.shape == (2, 4)
    both = coder.tokenizer.encode(["good film", "bad"])
    left, right = (row.tolist() for row in both)
    ids = torch.tensor([[2, *left, 3, *right, 3]])
    whole = Sequences(ids, segments=torch.tensor([[0] * (len(left) + 2) + [1] * (len(right) + 1)]))
    scores = run.model(whole)[0].log_softmax(-1).detach()
    assert dict(answer.answers)[answer.best] == pytest.approx(float(scores.max()), abs=1e-5)
    with pytest.raises(UsageError, match="up to 42 tokens would be read"):
        tuned(published(), "pairs.csv", task="match", out="other", longest=21)


def test_pairs_are_alike_by_a_number() -> None:
    lines = PAIRS.replace("label", "score").replace("yes", "4.5").replace("no", "1").splitlines()
    Path("alike.csv").write_text("\n".join(lines) + "\n")
    run = tuned(published(), "alike.csv", task="similarity")
    assert float(run.predict([("good film", "bad")])[0].best) < 100
    assert set(run.evaluate("alike.csv")) >= {"loss", "pearson"}


NAMES = "".join(
    f"{one} B-PER\nsees O\n{other} B-LOC\n. O\n\n"
    for one in ("Anna", "bob", "good-film")
    for other in ("rome", "Bonn", "x", "Def")
)


def test_the_first_piece_of_each_word_has_its_tag_and_words_are_answered() -> None:
    Path("names.conll").write_text(NAMES)
    run = tuned(published(), "names.conll", task="tag")
    assert run.model.config.tag == "bert_tagger"
    words = ["Anna", "sees", "\u200b", "Rome"]
    (answer,) = run.predict([words])
    assert len(answer.best.split()) == 4 and len(answer.outputs) == 4
    assert answer.inputs[:5] == ("[CLS]", "a", "##n", "##n", "##a") and "[UNK]" in answer.inputs
    assert answer.weights.shape == (4, len(answer.inputs))
    # A sentence that is too long at once is tagged in portions.
    (longer,) = run.predict([words * 9])
    assert longer.best.split() != [] and len(longer.best.split()) == 36
    assert longer.inputs.count("[CLS]") > 1
    scores = Run("run").evaluate("names.conll")
    assert 0 <= scores["accuracy"] <= 1


@pytest.mark.slow
def test_words_behind_what_is_read_are_wrong_and_tagging_is_learned() -> None:
    Path("names.conll").write_text(NAMES)
    folder = published(init_std=0.2, embed_dim=16)
    run = tuned(folder, "names.conll", task="tag", steps=70, learning_rate=2e-2)
    assert run.evaluate("names.conll")["accuracy"] > 0.9
    few = tuned(published(), "names.conll", task="tag", out="few", longest=6)
    assert few.evaluate("names.conll")["accuracy"] < 0.8


def squad(*rows: tuple[str, str, str]) -> Path:
    """A file in the layout of SQuAD 2.0."""
    paragraphs = [
        {
            "context": context,
            "qas": [
                {
                    "id": str(number),
                    "question": question,
                    "is_impossible": not answer,
                    "answers": [{"text": answer, "answer_start": context.index(answer)}]
                    if answer
                    else [],
                }
            ],
        }
        for number, (context, question, answer) in enumerate(rows)
    ]
    path = Path("squad.json")
    entry = {"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(entry))
    return path


def rows_about(*places: str) -> list[tuple[str, str, str]]:
    rows = []
    for number, place in enumerate(places * 4):
        context = (
            f"Anna  lives in {place}, and Bob {'lives' if number % 2 else 'is'} in Oslo-{number}."
        )
        rows += [(context, "Where is Anna?", place), (context, "Where is Eve?", "")]
    return rows


def test_answers_stand_in_passages_as_they_are_written() -> None:
    path = squad(*rows_about("Rome", "New York", "Bonn"))
    folder = published(max_length=128)
    run = tuned(folder, str(path))
    coder = run.predictor.coder
    assert (run.settings.task_name, run.model.config.tag) == ("extract", "bert_spans")
    assert coder.longest == 64 and coder.reach == 128 == run.model.config.max_length
    context, question = "Anna  lives in Rome.", "Where is Anna?"
    passage, asked = coder.read(context, question)
    first, second = (coder.tokenizer.tokens(each.ids[0].tolist()) for each in (asked, passage))
    assert (first[0], first[-1], second[-1]) == ("[CLS]", "[SEP]", "[SEP]")
    assert coder.answerable(passage).counts.tolist() == [len(second) - 1]
    places = coder.places(context)
    assert "".join(context[a:b] for a, b in places) == context.replace(" ", "")
    (answer,) = run.predict([(context, question)], num_answers=3)
    assert all(text in context for text, _ in answer.answers)
    assert answer.weights.shape == (2, len(places)) == (2, len(answer.inputs))
    whole = torch.cat([asked.ids, passage.ids], 1)
    told = torch.tensor([[0] * asked.ids.shape[1] + [1] * passage.ids.shape[1]])
    with torch.no_grad():
        ends = run.model(Sequences(whole, segments=told))
        found = run.model(passage, asked)
    assert torch.allclose(found[:, :, 0], ends[:, :, 0], atol=1e-6)
    assert torch.allclose(found[:, :, 1:], ends[:, :, asked.ids.shape[1] :], atol=1e-6)
    scores = Run("run").evaluate(str(path))
    assert set(scores) >= {"loss", "exact_match", "f1", "answerable_f1"}


@pytest.mark.slow
def test_answers_are_learned_and_those_behind_the_cut_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = squad(*rows_about("Rome", "Bonn"))
    folder = published(max_length=128, init_std=0.2, embed_dim=16)
    run = tuned(folder, str(path), steps=150, learning_rate=1e-2, evaluate_every=50)
    scores = run.evaluate(str(path))
    assert scores["f1"] > 0.8, scores
    tuned(folder, str(path), out="few", longest=12, options=Options())
    assert re.search(r"training answers stand behind the 12", capsys.readouterr().out)


def test_masked_words_are_learned_on(capsys: pytest.CaptureFixture[str]) -> None:
    folder = published(BertMaskedLM, BertMaskedLMConfig)
    Path("text.txt").write_text("a good film. a bad play!\n" * 60)
    run = tuned(folder, "text.txt", task="masked_lm", options=Options())
    said = capsys.readouterr().out
    ((whole, count),) = re.findall(r"(\d+) of (\d+) tensors are taken over\.", said)
    assert whole == count and run.model.config.max_length == run.settings.task.block == 40
    (answer,) = run.predict(["a good [MASK]."])
    row = [PIECES.index(each) for each in ("[CLS]", "a", "good", "[MASK]", ".", "[SEP]")]
    logits = regard.load(folder)(Sequences(torch.tensor([row]))).detach()
    best = float(logits[0, 3].log_softmax(-1).max())
    assert answer.answers[0][1] == pytest.approx(best, abs=1e-4)


def test_the_command_line_fine_tunes() -> None:
    from regard.cli import main

    folder = published()
    words = ["train", "--from", str(folder), "--data", "films.csv", "--steps", "2", "--quiet"]
    assert main([*words, "--out", "run"]) == 0
    assert Run("run").settings.train.learning_rate == 5e-5
    assert main(["predict", "run", "good film"]) == 0
