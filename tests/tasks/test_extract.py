"""Reading: answers are parts of the passage, letter by letter, and judged as SQuAD does."""

import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import regard
from regard.models.attentive_reader import AttentiveReader, AttentiveReaderConfig
from regard.run.loading import load_predictor
from regard.run.training import Options
from regard.sequences import Sequences
from regard.tasks.extract import Extract, Extractor, ExtractSettings
from regard.tasks.extract.coder import PassagesAndSpans
from regard.tasks.extract.decoding import best_spans, log_probs
from regard.tasks.extract.metrics import answer_scores, exact_match, normalized, word_f1
from regard.tasks.extract.schema import SCHEMA
from tests.tables.corpora import corpus_of
from tests.tasks.rows import learn

TEXTS = st.text(st.sampled_from("aThe nb.,-! 9"), max_size=14)
WORDS = st.lists(st.sampled_from("the a an Rome city, of THE x.".split()), max_size=6)

PEOPLE, PLACES = ("Ann", "Bob", "Eve", "Leo"), ("Rome", "Old Oslo", "Bonn")
ROWS = [
    {
        "context": f"{one} lives in {here}.  {other} sleeps in {there}!",
        "question": f"Where is {asked}?",
        "answer": {one: here, other: there}.get(asked, ""),
    }
    for one in PEOPLE
    for other in PEOPLE
    for here in PLACES
    for there in PLACES
    for asked in PEOPLE
    if one != other and here != there and (asked in (one, other) or len(here + there) % 3)
]


def network(**sizes: Any) -> AttentiveReader:
    torch.manual_seed(0)
    known = {name: sizes[name] for name in AttentiveReaderConfig.from_data}
    small: dict[str, Any] = {"embed_dim": 24, "hidden_dim": 24, "dropout": 0.0}
    return AttentiveReader(AttentiveReaderConfig(**known, **small))


def reading(rows: Any = ROWS, model: Any = network, **settings: Any) -> Extract:
    small = {"batch_tokens": 1200, "buckets": 20}
    return Extract(corpus_of(SCHEMA, rows), model, ExtractSettings(**small | settings))


# Metrics


def by_squad(answer: str, golds: list[str]) -> tuple[float, float]:
    """Exact match and F1 as SQuAD's `evaluate-v2.0.py` has them, step by step."""

    def normalize(text: str) -> str:
        text = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())

    def f1(gold: str) -> float:
        one, other = normalize(gold).split(), normalize(answer).split()
        same = sum((Counter(one) & Counter(other)).values())
        if not one or not other:
            return float(one == other)
        if not same:
            return 0.0
        precision, recall = same / len(other), same / len(one)
        return 2 * precision * recall / (precision + recall)

    golds = [gold for gold in golds if normalize(gold)] or [""]
    return max(float(normalize(g) == normalize(answer)) for g in golds), max(map(f1, golds))


@given(WORDS | TEXTS.map(str.split), st.lists(WORDS | TEXTS.map(str.split), max_size=3))
def test_scores_are_those_of_squads_script(answer: list[str], golds: list[list[str]]) -> None:
    said, gold = " ".join(answer), [" ".join(each) for each in golds]
    scores = answer_scores([{"gold": gold, "answer": said, "nll": 0.0, "known": True}])
    assert (scores["exact_match"], scores["f1"]) == pytest.approx(by_squad(said, gold))


def test_case_signs_articles_and_spaces_do_not_count() -> None:
    assert exact_match("The  Norman's", "normans") == 1 and exact_match("theme", "me") == 0
    assert normalized("An apple a-day") == "apple aday"
    assert word_f1("city of Rome", "the Rome") == pytest.approx(0.5)


def test_nothing_is_right_only_where_there_is_no_answer() -> None:
    def scored(answer: str, *gold: str) -> float:
        record = {"gold": list(gold), "answer": answer, "nll": 0.0, "known": True}
        return answer_scores([record])["f1"]

    assert scored("", "") == scored("the", "") == scored("") == 1
    assert scored("Rome", "") == scored("", "Rome") == 0
    assert scored("Rome", "", "Rome") == 1


# Decoding


def test_places_that_are_not_there_have_no_probability() -> None:
    passage = Sequences(torch.zeros(3, 4, dtype=torch.long), torch.tensor([4, 2, 0]))
    logits = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    for unanswerable in (True, False):
        found = log_probs(logits, passage, unanswerable).exp()
        torch.testing.assert_close(found.sum(-1), torch.ones(3, 2))
        assert not found[1, :, 3:].any() and not found[2, :, 1:].any()
        assert bool((found[:2, :, 0] > 0).all()) is unanswerable


@given(st.integers(0, 9), st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
def test_the_best_spans_are_those_of_a_search_through_all(
    words: int, longest: int, count: int, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, words + 1, generator=rng).log_softmax(-1)
    every = [(float(scores[:, 0].sum()), 0, 0)] + [
        (float(scores[0, i] + scores[1, j]), i, j)
        for i in range(1, words + 1)
        for j in range(i, min(words, i + longest - 1) + 1)
    ]
    wanted = sorted(every, reverse=True)[:count]
    assert [each[1:] for each in best_spans(scores, longest, count)] == [e[1:] for e in wanted]


# The task


def test_it_learns_to_find_answers_and_to_find_none() -> None:
    task = reading()
    learn(task, 150, 0.01)
    scores = task.score("valid", task.examine("valid", np.arange(task.size("valid"))))
    assert scores["f1"] > 0.95 and scores["exact_match"] > 0.95 and scores["answerable_f1"] > 0.95
    asked = [
        ("Ann lives in Bonn.\nLeo   sleeps in Old  Oslo!", "Where is Leo?"),
        ("Ann lives in Bonn.  Leo sleeps in Rome!", "Where is Bob?"),
        ("ANN lives in ROME.  Leo sleeps in Bonn!", "where is ann?"),
    ]
    found = task.predictor.predict(asked)
    assert [each.best for each in found] == ["Old  Oslo", "", "ROME"]
    first = found[0]
    assert first.weights is not None and first.weights.shape == (2, len(first.inputs))
    assert [first.inputs[n] for n in first.weights.argmax(1)] == ["Old", "Oslo"]
    assert first.outputs == ("first", "last") and found[1].weights.sum() < 1


def test_the_loss_is_that_of_both_places() -> None:
    task = reading()
    rows = np.arange(5)
    batch = task.batch("valid", rows)
    logits = task.model(batch.passage, batch.question)
    wanted = 0.0
    for row, (span, length) in enumerate(
        zip(batch.span.tolist(), batch.passage.counts.tolist(), strict=True)
    ):
        for way in range(2):
            scores = logits[row, way, : length + 1].detach().double()
            wanted -= float(scores[span[way]] - scores.exp().sum().log())
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-5)
    records = task.examine("valid", rows)
    assert task.score("valid", records)["loss"] == pytest.approx(wanted / 5, rel=1e-5)


def test_an_answer_that_is_not_in_the_passage_teaches_nothing_and_is_said() -> None:
    odd = [{**row, "answer": "Madrid"} if n in (1, 2, 5) else row for n, row in enumerate(ROWS)]
    task = reading(odd)
    assert task.notes() == [
        f"2 of {task.size('train')} training answers do not stand in their contexts, so they "
        "teach nothing"
    ]
    assert not reading().notes()
    batch = task.batch("train", np.arange(4))
    assert batch.span.tolist()[:2] == [[-1, -1], [-1, -1]] and batch.num_targets == 2
    some = task.batch("train", np.arange(2, 4))
    torch.testing.assert_close(task.loss(batch), task.loss(some), rtol=1e-6, atol=1e-6)
    (record,) = task.examine("valid", np.array([1]))
    assert (record["gold"], record["known"], record["nll"]) == (["Madrid"], False, 0.0)


def test_an_answer_behind_what_is_read_teaches_nothing_and_is_said() -> None:
    task = reading(longest=6)
    train = task.data.examples["train"]
    spans = task.coder.spans(train)
    lost = int((spans[:, 0] < 0).sum())
    assert 0 < lost < len(train) and spans.max() <= 6 and train.cut == len(train)
    assert task.notes() == [
        f"{lost} of {len(train)} training answers stand behind the 6 words that are read "
        "(longest), so they teach nothing"
    ]
    assert task.examine("valid", np.arange(3))


def test_data_in_whose_passages_no_answer_stands_is_refused() -> None:
    rows = [{**row, "answer": "Madrid"} for row in ROWS]
    with pytest.raises(ValueError, match="none of the .* training answers stands in the first 400"):
        reading(rows)


def test_no_answer_is_one_only_where_training_has_some() -> None:
    def shy(**_: Any) -> torch.nn.Module:
        class Shy(torch.nn.Module):
            def forward(self, passage: Sequences, question: Sequences) -> Tensor:
                scores = torch.zeros(len(passage), 2, passage.ids.shape[1] + 1)
                return scores.index_fill(2, torch.tensor([0]), 50.0)

        return Shy()

    asked = [("Ann lives in Rome.", "Where is Ann?")]
    assert reading(model=shy).predictor.predict(asked)[0].best == ""
    answered = [row for row in ROWS if row["answer"]][:120]
    always = reading([*answered, {**ROWS[0], "answer": ""}, *answered[:4]], model=shy)
    assert not always.coder.unanswerable
    assert always.predictor.predict(asked)[0].best != ""
    (record,) = always.examine("valid", np.array([24]))
    assert record["gold"] == [""] and not record["known"]


def test_all_right_answers_count_and_the_first_is_learned() -> None:
    row = {
        **{"context": "He was born in New York City.", "question": "Where?"},
        **{"answer": "New York", "answers": "New York\tNew York City\tNYC"},
    }
    task = reading([row, *ROWS])
    (record,) = task.examine("valid", np.array([0]))
    assert record["gold"] == ["New York", "New York City", "NYC"]
    assert task.batch("valid", np.array([0])).span.tolist() == [[5, 6]]


def test_answers_are_different_texts_and_no_longer_than_is_allowed() -> None:
    (answer,) = reading(longest_answer=2).predictor.predict([("to be or to be", "what is it?")], 20)
    texts = [text for text, _ in answer.answers]
    assert len(set(texts)) == len(texts) and all(len(text.split()) <= 2 for text in texts)
    assert set(texts) == {"", "to", "be", "or", "to be", "be or", "or to"}
    scores = [score for _, score in answer.answers]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ann is here.\tWho is?", ("Ann is here.", "Who is?")),
        ("a\tb\tWho", ("a\tb", "Who")),
        ("Ann is here.  Bob left! Who is?", ("Ann is here.  Bob left!", "Who is?")),
        ("Who is? I ask. Who is?", ("Who is? I ask.", "Who is?")),
    ],
)
def test_passage_and_question_are_told_apart(text: str, wanted: tuple[str, str]) -> None:
    assert Extractor.parse(text) == wanted


@pytest.mark.parametrize("text", ["", "Ann is here.", "Who is here?", "Who? Ann."])
def test_a_text_without_a_question_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="the text has no question: its last sentence is"):
        Extractor.parse(text)


def test_an_empty_side_is_named() -> None:
    predictor = reading().predictor
    with pytest.raises(ValueError, match="the passage of input 1 of 1 is empty"):
        predictor.predict([(" ", "Who?")])
    with pytest.raises(ValueError, match="the question of input 2 of 2 is empty"):
        predictor.predict([("Ann left.", "Who?"), ("Ann left.", "")])


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "{", '{"tokens": ["<pad>"], "buckets": 3, "unanswerable": true}']
    + [
        '{"tokens": ["<pad>", "<unk>", "<s>", "</s>"], ' + rest
        for rest in ('"buckets": 0, "unanswerable": true}', '"buckets": 3, "unanswerable": 1}')
    ],
)
def test_damaged_words_are_named(tmp_path: Path, text: str) -> None:
    coder = reading().coder
    assert coder.save(tmp_path) == ["words.json"]
    assert vars(PassagesAndSpans.load(tmp_path, coder.entries())) == vars(coder)
    (tmp_path / "words.json").write_text(text)
    with pytest.raises(ValueError, match="words.json is damaged"):
        PassagesAndSpans.load(tmp_path, coder.entries())


def test_a_task_is_trained_kept_and_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "answer": "Madrid"} if n == 1 else row for n, row in enumerate(ROWS)]
    run = regard.train(task=reading(rows), out=tmp_path / "run", epochs=1, options=Options())
    assert "1 of 153 training answers do not stand in their contexts" in capsys.readouterr().out
    assert {"f1", "exact_match", "answerable_f1"} <= set(run.metrics["valid"])
    asked = [("Ann lives in Rome.", "Where is Ann?"), "Ann lives in Rome. Where is Ann?"]
    one, other = run.predict(asked)
    assert one.answers == other.answers
    again = load_predictor(tmp_path / "run" / "best").predict(asked[:1])[0]
    assert (again.answers, again.inputs) == (one.answers, one.inputs)
