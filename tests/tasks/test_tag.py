"""Tagging: entities as CoNLL counts them, words as they were given, and data that does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import regard
from regard.data.encoding.signatures import SignedWords
from regard.data.encoding.vocabulary import Vocabulary
from regard.models.lstm import LSTMTagger, LSTMTaggerConfig
from regard.run.loading import load_predictor
from regard.run.training import Options
from regard.tasks.tag import Tag, TagSettings
from regard.tasks.tag.chunks import Chunk, are_chunks, chunks
from regard.tasks.tag.coder import WordsAndTags
from regard.tasks.tag.metrics import tag_scores
from regard.tasks.tag.predictor import Tagger
from regard.tasks.tag.schema import SCHEMA
from tests.tables.corpora import corpus_of
from tests.tasks.rows import learn, table

LETTERS = st.sampled_from("B-X I-X E-X S-X B-Y I-Y E-Y S-Y O".split())

ROWS = [
    {"words": f"{who}\tlives\tin\t{place}", "tags": "B-PER\tO\tO\tB-LOC"}
    for who in ("Ann", "Bob", "Eve", "Leo")
    for place in ("Rome", "Oslo", "Bonn")
] * 3 + [{"words": "It\train\ts", "tags": "O\tO\tO"}] * 9


def network(**sizes: Any) -> LSTMTagger:
    torch.manual_seed(0)
    known = {name: sizes[name] for name in LSTMTaggerConfig.from_data}
    small: dict[str, Any] = {"embed_dim": 8, "hidden_dim": 8, "dropout": 0.0, "word_dropout": 0.0}
    return LSTMTagger(LSTMTaggerConfig(**known, **small))


def tagging(rows: Any = ROWS, model: Any = network, **settings: Any) -> Tag:
    return Tag(corpus_of(SCHEMA, rows), model, TagSettings(**{"batch_tokens": 60} | settings))


def by_conlleval(tags: list[str]) -> list[Chunk]:
    """The chunks of a sentence, as the functions of `conlleval.py` find where each begins, ends."""

    def ends(before: str, tag: str, kind_before: str, kind: str) -> bool:
        end = before in "ES"
        end |= before in "BI" and tag in "BSO"
        return end or (before != "O" and kind_before != kind)

    def starts(before: str, tag: str, kind_before: str, kind: str) -> bool:
        start = tag in "BS"
        start |= before in "ESO" and tag in "EI"
        return start or (tag != "O" and kind_before != kind)

    found, open_at, before, kind_before = [], -1, "O", ""
    for place, each in enumerate([*tags, "O"]):
        tag, _, kind = each.partition("-")
        if open_at >= 0 and ends(before, tag, kind_before, kind):
            found.append((kind_before, open_at, place))
            open_at = -1
        if starts(before, tag, kind_before, kind):
            open_at = place
        before, kind_before = tag, kind
    return found


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("O I-PER I-PER O", [("PER", 1, 3)]),
        ("I-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("B-PER B-PER I-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("I-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("B-PER I-PER E-PER S-LOC S-LOC", [("PER", 0, 3), ("LOC", 3, 4), ("LOC", 4, 5)]),
        ("B-PER E-PER I-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        ("B-PER L-PER U-LOC", [("PER", 0, 2), ("LOC", 2, 3)]),
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("B I O B", [("", 0, 2), ("", 3, 4)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities_are_those_of_conlleval(tags: str, wanted: list[Chunk]) -> None:
    assert chunks(tags.split()) == wanted


@given(st.lists(LETTERS, max_size=12))
def test_any_tags_have_the_entities_that_conlleval_finds(tags: list[str]) -> None:
    assert chunks(tags) == by_conlleval(tags)


def test_what_marks_entities_is_known_from_the_tags() -> None:
    assert are_chunks(["O", "I-PER", "I-LOC"]) and are_chunks(["S-X", "E-X"])
    assert not are_chunks(["O"]) and not are_chunks(["NN", "IN", "O"]) and not are_chunks([])
    assert not are_chunks(["B-PER", "X"])


def test_precision_recall_and_f1_are_counted_over_all_sentences() -> None:
    def record(tags: str, answer: str) -> dict[str, Any]:
        return {"tags": tags.split(), "answer": answer.split(), "nll": 1.0, "known": 4}

    records = [
        record("B-PER I-PER O B-LOC", "B-PER I-PER O B-ORG"),
        record("B-PER I-PER O O", "B-PER O B-LOC O"),
        record("O O O O", "O O O O"),
    ]
    scores = tag_scores(records, of_chunks=True)
    assert (scores["precision"], scores["recall"]) == (1 / 4, 1 / 3)
    assert scores["f1"] == pytest.approx(2 / 7) and scores["accuracy"] == 9 / 12
    assert scores["loss"] == 3 / 12
    plain = tag_scores(records, of_chunks=False)
    assert plain["f1"] == plain["accuracy"] and "precision" not in plain
    none = tag_scores([record("O O O O", "O O O O")], of_chunks=True)
    assert none["f1"] == none["precision"] == 0 and none["accuracy"] == 1


def test_it_learns_who_and_where_also_of_names_that_are_new() -> None:
    task = tagging(least=10)
    learn(task, 150, 0.02)
    scores = task.score("valid", task.examine("valid", np.arange(task.size("valid"))))
    assert scores["f1"] == 1 and scores["accuracy"] == 1
    texts = ["Zoe lives in Graz", ["Zoe", "lives", "in", "Graz"], "Zoe\tlives\tin\tGraz"]
    for answer in task.predictor.predict(texts):
        assert answer.best == "B-PER O O B-LOC"
        assert answer.inputs == ("Zoe", "lives", "in", "Graz")
        assert answer.outputs == ("Zoe/B-PER", "lives/O", "in/O", "Graz/B-LOC")
        assert answer.unknown == ("Graz", "Zoe")
        assert answer.weights is not None and answer.weights.shape == (4, 4)


def test_the_loss_is_the_mean_cost_of_a_word_whose_tag_is_known() -> None:
    task = tagging([*ROWS, *[{"words": "Ann\tran", "tags": "B-PER\tVERB"}]])
    rows = np.arange(task.size("valid"))
    batch = task.batch("valid", rows)
    assert (batch.tags == -1).any()
    scores = task.score("valid", task.examine("valid", rows))
    with torch.no_grad():
        assert task.loss(batch).item() / batch.num_targets == pytest.approx(scores["loss"])


def test_a_tag_that_training_does_not_know_is_never_right() -> None:
    task = tagging([{"words": "Ann\tran", "tags": "B-PER\tVERB"}, *ROWS])
    assert "VERB" not in task.coder.labels
    (record,) = task.examine("valid", np.array([0]))
    assert record["tags"] == ["B-PER", "VERB"] and record["known"] == 1
    assert record["answer"][1] != "VERB" and len(record["answer"]) == 2


@pytest.mark.parametrize("place", [0, 1503])
def test_words_and_tags_that_are_not_as_many_are_refused_with_the_row(
    place: int, tmp_path: Path
) -> None:
    rows = {"words": ["a\tb"] * 1600, "tags": ["N\tV"] * 1600}
    rows["tags"][place] = "N\tV\tN"
    coder = WordsAndTags(SignedWords(Vocabulary.build(["a"])), ("N", "V"), 9)
    why = f"row {place + 1} of valid has 2 words and 3 tags; give each word one tag"
    with pytest.raises(ValueError, match=why):
        coder.encode({"valid": table(**rows)}, tmp_path)
    with pytest.raises(ValueError, match=f"row {place + 1} of the stream has 2 words and 3 tags"):
        coder.encode_rows([{"words": w, "tags": t} for w, t in zip(*rows.values(), strict=True)])


def test_one_tag_alone_is_refused() -> None:
    rows = [{"words": "a\tb", "tags": "O\tO"}] * 10
    why = "the tag is 'O' in all 8 training sentences; at least 2 different ones are needed"
    with pytest.raises(ValueError, match=why):
        tagging(rows)
    with pytest.raises(ValueError, match="the tag is missing in all 8 training sentences"):
        tagging([{"words": "", "tags": ""}] * 10)


def test_what_is_behind_the_longest_is_cut_counted_and_wrong() -> None:
    task = tagging(longest=3)
    train = task.data.examples["train"]
    assert train.cut == sum(
        len(row["words"].split("\t")) > 3 for n, row in enumerate(ROWS) if n % 5
    )
    records = task.examine("valid", np.arange(task.size("valid")))
    assert all(r["answer"][3:] == [""] * (len(r["tags"]) - 3) for r in records)
    assert all(len(r["answer"]) == len(r["tags"]) and r["known"] <= 3 for r in records)


def test_a_sentence_longer_than_is_read_at_once_is_tagged_in_pieces() -> None:
    task = tagging(longest=3)
    words = "Ann lives in Rome and Bob".split()
    whole, *pieces = task.predictor.predict([words, words[:3], words[3:]])
    assert whole.best == " ".join(each.best for each in pieces)
    assert whole.weights is not None and whole.weights.shape == (6, 6)
    torch.testing.assert_close(whole.weights[:3, :3], pieces[0].weights)
    assert not whole.weights[:3, 3:].any() and not whole.weights[3:, :3].any()


@pytest.mark.parametrize("sentence", ["", "  ", [], ["Ann", ""], [3]])
def test_a_sentence_without_a_word_is_named(sentence: Any) -> None:
    with pytest.raises(ValueError, match="sentence 2 of 2 has no words, or an empty one"):
        tagging().predictor.predict(["Ann lives", sentence])


def test_a_network_without_attention_shows_none() -> None:
    class Bag(torch.nn.Module):
        def __init__(self, vocab: int, classes: int, **_: Any) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(vocab, classes)

        def forward(self, source: Any) -> torch.Tensor:
            return self.words(source.ids)

    def plain(**sizes: Any) -> LSTMTagger:
        return LSTMTagger(
            LSTMTaggerConfig.from_entries(
                {"attention": "none", **{k: sizes[k] for k in LSTMTaggerConfig.from_data}}
            )
        )

    for model in (Bag, plain):
        (answer,) = tagging(model=model).predictor.predict(["Ann lives"])
        assert answer.weights is None and len(answer.outputs) == 2


@pytest.mark.parametrize("text", ["{}", "{", '["a"]', "null", "7"])
def test_damaged_words_are_named(tmp_path: Path, text: str) -> None:
    coder = tagging().coder
    assert coder.save(tmp_path) == ["words.json", "labels.json"]
    again = WordsAndTags.load(tmp_path, coder.entries())
    assert (again.words, again.labels, again.longest) == (coder.words, coder.labels, 128)
    (tmp_path / "words.json").write_text(text)
    with pytest.raises(ValueError, match="words.json is damaged"):
        WordsAndTags.load(tmp_path, coder.entries())


def test_a_task_is_trained_kept_and_asked_again(tmp_path: Path) -> None:
    run = regard.train(
        task=tagging(), out=tmp_path / "run", epochs=1, options=Options(progress=False)
    )
    assert {"f1", "precision", "recall", "accuracy"} <= set(run.metrics["valid"])
    asked = ["Ann lives in Rome", ["Bob", "lives"]]
    told = [each.best for each in run.predict(asked)]
    assert told == [each.best for each in load_predictor(tmp_path / "run" / "best").predict(asked)]


@pytest.mark.parametrize(
    "words", [["Bob", "works", "in", "Rome"], ["New York", "is"], ["it's", "("]]
)
def test_typed_words_are_read_as_the_same_words(words: list[str]) -> None:
    assert Tagger.parse(Tagger.typed(words)) == words
    assert "[" not in Tagger.typed(words)
