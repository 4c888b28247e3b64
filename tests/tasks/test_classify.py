"""Classification: macro F1, documents by their sentences, and what is said to an empty text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard.data.encoding.token_settings import Characters, Words
from regard.data.encoding.tokenizer import Tokenizer
from regard.models.han import HAN, HANConfig
from regard.tasks.classify import Classifier, Classify, ClassifySettings
from regard.tasks.classify.coder import TextsAndLabels, load_labels, require_labels
from regard.tasks.classify.metrics import label_confusion, macro_f1
from regard.tasks.text_predictor import by_sentence
from tests.tasks.labels import labelling
from tests.tasks.rows import learn, table


def test_labels_are_learned(tmp_path: Path) -> None:
    task = labelling(tmp_path, count=120, batch_tokens=400)
    learn(task, 120)
    scores = task.score("test", task.examine("test", np.arange(task.size("test"))))
    assert scores["accuracy"] >= 0.95 and scores["f1"] >= 0.9 and scores["loss"] < 0.3
    assert task.predictor.predict(["bab"])[0].best == "with"


def test_tokens_are_learned_from_so_many_rows_at_most_and_that_is_said() -> None:
    class Films:
        splits = {"train": table(text=[f"film {'abcdefgh'[n]}" for n in range(8)])}
        labels = ("bad", "good")

    films: Any = Films()
    some, all_there_are, letters = (
        Classify.learn(films, ClassifySettings(tokens=tokens)).tokenizer
        for tokens in (Words(rows=4), Words(rows=8), Characters())
    )
    assert [some.number_of(word) is not None for word in "abcdefgh"] == [False, True] * 4
    assert all_there_are.number_of("a") is not None and letters.number_of("a") is not None
    assert Words(rows=8).notes(8) == Characters().notes(9) == []
    assert Words(rows=2000).notes(3000) == [
        "tokens are learned from 2,000 of 3,000 training rows, evenly spaced (tokens.rows)"
    ]


def test_macro_f1_is_the_mean_of_each_labels_own() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        answers, wanted = rng.integers(0, 5, 12), rng.integers(0, 4, 12)
        each = []
        for label in sorted({*answers.tolist(), *wanted.tolist()}):
            hits = sum(a == w == label for a, w in zip(answers, wanted, strict=True))
            said, were = sum(answers == label), sum(wanted == label)
            precision, recall = (hits / n if n else 0.0 for n in (said, were))
            both = precision + recall
            each.append(2 * precision * recall / both if both else 0.0)
        assert macro_f1(answers, wanted) == pytest.approx(np.mean(each))


def test_an_empty_text_is_refused_and_an_unseen_letter_named(tmp_path: Path) -> None:
    predictor = labelling(tmp_path).predictor
    with pytest.raises(ValueError, match="text 2 of 2 is empty"):
        predictor.predict(["a", ""])
    (answer,) = predictor.predict(["a☃"])
    assert answer.unknown == ("☃",)


def test_a_long_text_is_read_up_to_where_it_was_cut_in_training(tmp_path: Path) -> None:
    predictor = labelling(tmp_path).predictor
    predictor.model.eval()
    (long,), (cut,) = predictor.predict(["b" * 8 + "a"]), predictor.predict(["b" * 8])
    assert long.inputs == cut.inputs and long.answers == cut.answers


def test_an_answer_names_its_labels_from_the_likeliest_on(tmp_path: Path) -> None:
    (answer,) = labelling(tmp_path).predictor.predict(["bab"], num_answers=5)
    assert sorted(label for label, _ in answer.answers) == ["with", "without"]
    assert answer.answers[0][1] >= answer.answers[1][1] and answer.outputs == (answer.best,)
    assert np.exp([score for _, score in answer.answers]).sum() == pytest.approx(1.0, rel=1e-5)


def test_documents_are_answered_by_their_sentences() -> None:
    tokenizer = Tokenizer.train(["ab cd. e"], "characters")
    coder = TextsAndLabels(tokenizer, ("bad", "good"), 64, sentences=True)
    torch.manual_seed(0)
    sizes = {name: coder.sizes[name] for name in HANConfig.from_data}
    model = HAN(HANConfig(**sizes, embed_dim=4, hidden_dim=3)).eval()
    (answer,) = Classifier(model, coder).predict(["ab cd. e ab."])
    assert len(answer.inputs) == 2 and answer.weights.shape == (1, 2)
    torch.testing.assert_close(answer.weights.sum(), torch.ones(()))
    plain = [each.replace("[", "").replace("]", "") for each in answer.inputs]
    assert [each.replace(" ", "").replace("▁", "") for each in plain] == ["abcd.", "eab."]


def test_what_stands_behind_the_last_end_is_a_sentence_too() -> None:
    weights = torch.tensor([0.2, 0.0, 0.5, 0.3])
    found, sums = by_sentence(["a", "</s>", "b", "c"], weights, ends=[1])
    assert found == ["[a]", "[b] c"]
    torch.testing.assert_close(sums, torch.tensor([0.2, 0.8]))


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "labels.json is damaged"), ('{"a": 1}', "not a list of names"), ("[1]", "not a list")],
)
def test_a_damaged_file_of_labels_is_named(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(ValueError, match=why):
        load_labels(tmp_path)


def test_data_with_one_label_is_refused() -> None:
    class Uniform:
        labels, names, splits = ("good",), ("text", "mood"), {"train": range(3000)}

    corpus: Any = Uniform()
    with pytest.raises(ValueError, match="mood is 'good' in all 3,000 training examples; at least"):
        require_labels(corpus)


def test_of_very_many_labels_the_rarest_are_counted_together() -> None:
    pairs = [(0, 0), (0, 1), (1, 1), (2, 3), (3, 0), (2, 4)]
    records = [{"target": target, "answer": answer} for target, answer in pairs]
    names, counts = label_confusion(records, ["a", "b", "c", "d", "e"], most=2) or ([], [])
    assert names == ["a", "b", "(3 other labels)"]
    assert counts == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert label_confusion([{"target": -1, "answer": 0}], ["a", "b"]) is None
