"""Several labels at once: each is judged for itself, none is an answer, and unknown ones count."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.data.reading.corpus import Corpus
from regard.data.synthetic.data_sets import DATA
from regard.errors import UsageError
from regard.models.lstm import LSTMClassifier, LSTMConfig
from regard.run.loading import load_predictor
from regard.run.training import Options
from regard.tasks.multilabel import Multilabel, MultilabelSettings
from regard.tasks.multilabel.coder import joined, labels_in
from regard.tasks.multilabel.metrics import multilabel_scores
from regard.tasks.multilabel.schema import SCHEMA
from tests.tasks.rows import learn, splits_of_words, table

LETTERS = "bcd"


def cells(texts: list[str]) -> list[str]:
    return ["\t".join(letter for letter in LETTERS if letter in text) for text in texts]


def corpus(**changes: Any) -> Corpus:
    """Words, whose labels are which of three letters they have; columns of splits may be others."""
    columns = {
        split: {"text": texts, "labels": cells(texts)}
        for split, texts in splits_of_words(200, 1, 5).items()
    }
    splits = {split: table(**rows) for split, rows in {**columns, **changes}.items()}
    return Corpus(SCHEMA, splits, ("text", "labels"), "words", "of a test")


def lstm(**sizes: Any) -> LSTMClassifier:
    torch.manual_seed(0)
    known = {name: sizes[name] for name in LSTMConfig.from_data}
    small: dict[str, Any] = {"embed_dim": 12, "hidden_dim": 12, "dropout": 0.0, "word_dropout": 0.0}
    return LSTMClassifier(LSTMConfig(**known, **small))


def settings(**changes: Any) -> MultilabelSettings:
    known = {"tokens": {"kind": "characters"}, "batch_tokens": 300}
    return MultilabelSettings.from_entries(known | changes)


def made(data: Corpus | None = None, **changes: Any) -> Multilabel:
    return Multilabel(data or corpus(), lstm, settings(**changes))


def evaluated(task: Multilabel, split: str) -> list[dict[str, Any]]:
    return task.examine(split, np.arange(task.size(split)))


def test_it_finds_every_letter_that_is_there() -> None:
    task = made()
    assert task.coder.labels == tuple(LETTERS)
    learn(task, 150, 0.04)
    scores = task.score("test", evaluated(task, "test"))
    assert set(scores) == {"loss", "f1", "macro_f1", "exact"}
    assert scores["f1"] > 0.95 and scores["macro_f1"] > 0.95 and scores["exact"] > 0.85
    answers = task.predictor.predict(["bad", "dab", "a"])
    assert [answer.best for answer in answers] == ["b, d", "b, d", "(none)"]


def test_the_loss_is_the_sum_of_the_binary_cross_entropies_of_all_labels() -> None:
    task = made()
    task.model.double().eval()
    rows = np.arange(9)
    batch = task.batch("train", rows)
    logits = task.model(batch.source).detach().numpy()
    wanted = np.array(
        [[letter in text for letter in LETTERS] for text in task.data.texts["train"][:9]["text"]]
    )
    assert (batch.labels.numpy() == wanted).all() and batch.num_targets == 9
    likely = 1 / (1 + np.exp(-logits))
    costs = -np.where(wanted, np.log(likely), np.log(1 - likely)).sum(1)
    assert task.loss(batch).item() == pytest.approx(costs.sum(), rel=1e-6)
    records = task.examine("train", rows)
    assert [record["nll"] for record in records] == pytest.approx(costs.tolist(), rel=1e-6)
    assert task.score("train", records)["loss"] == pytest.approx(costs.mean(), rel=1e-6)


def test_a_text_without_labels_is_an_example_and_a_label_said_twice_counts_once() -> None:
    rows = {"text": ["a", "b", "bc", "e"], "labels": ["", "b\tb", " c \tb\t", "\t"]}
    task = made(corpus(valid=rows))
    assert task.batch("valid", np.arange(4)).labels.tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
    ]
    assert [r["target"] for r in evaluated(task, "valid")] == [[], [0], [0, 1], []]
    assert [wanted for _, wanted in task.fixed] == ["(none)", "b", "b, c", "(none)"]


def test_answers_are_the_labels_above_the_threshold_then_the_likeliest() -> None:
    task = made()
    task.model.eval()
    (answer,) = task.predictor.predict(["bad"], num_answers=4)
    (whole, score), *labels = answer.answers
    likely = {label: float(np.exp(each)) for label, each in labels}
    assert set(likely) == set(LETTERS) and list(likely.values()) == sorted(likely.values())[::-1]
    chosen = [label for label in LETTERS if likely[label] > 0.5]
    assert whole == joined(chosen) and answer.outputs == (whole,)
    product = np.prod([p if label in chosen else 1 - p for label, p in likely.items()])
    assert np.exp(score) == pytest.approx(product, rel=1e-5)
    assert len(task.predictor.predict(["bad"])[0].answers) == 1


def test_a_lower_threshold_answers_more_here_and_after_it_was_saved(tmp_path: Path) -> None:
    counts = []
    for threshold in (0.01, 0.5, 0.99):
        task = made(threshold=threshold)
        task.model.eval()
        folder = tmp_path / str(threshold)
        folder.mkdir()
        task.predictor.save(folder)
        again = load_predictor(folder)
        assert again.coder.threshold == threshold
        assert again.predict(["bad"])[0].answers == task.predictor.predict(["bad"])[0].answers
        counts.append(sum(len(record["answer"]) for record in evaluated(task, "valid")))
        assert again.predict(["bad"])[0].best == ("b, c, d" if threshold < 0.1 else "(none)") or (
            threshold == 0.5
        )
    assert counts[0] == 3 * 23 and counts[2] == 0 and 0 <= counts[1] <= counts[0]


def records_of(*pairs: tuple[set[int], set[int]], unknown: int = 0) -> list[dict[str, Any]]:
    return [
        {"target": sorted(t), "answer": sorted(a), "unknown": unknown, "nll": 0.5} for t, a in pairs
    ]


def test_f1_is_that_of_all_decisions_and_the_mean_of_each_labels_own() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        wanted, said = rng.random((2, 12, 5)) < 0.4
        wanted[:, 4] = said[:, 4] = False  # A label that is nowhere does not count.
        sets = [
            (set(np.flatnonzero(t)), set(np.flatnonzero(a)))
            for t, a in zip(wanted, said, strict=True)
        ]
        records = records_of(*(({int(x) for x in t}, {int(x) for x in a}) for t, a in sets))
        found = multilabel_scores(records, 5)

        def f1(t: np.ndarray, a: np.ndarray) -> float:
            if not (t & a).any():
                return 0.0
            precision, recall = (t & a).sum() / a.sum(), (t & a).sum() / t.sum()
            return float(2 * precision * recall / (precision + recall))

        assert found["f1"] == pytest.approx(f1(wanted, said))
        own = [f1(wanted[:, c], said[:, c]) for c in range(4)]
        assert found["macro_f1"] == pytest.approx(np.mean(own))
        assert found["exact"] == pytest.approx((wanted == said).all(1).mean())


def test_nothing_wanted_and_nothing_said_is_exact_and_has_no_f1() -> None:
    scores = multilabel_scores(records_of((set(), set()), (set(), set())), 3)
    assert scores == {"loss": 0.5, "f1": 0.0, "macro_f1": 0.0, "exact": 1.0}
    assert multilabel_scores([], 3) == dict.fromkeys(scores, 0.0)


def test_a_label_that_training_did_not_have_is_missed_and_told() -> None:
    rows = {"text": ["b", "c"], "labels": ["b\tblue", "c"]}
    task = made(corpus(test=rows))
    task.model.eval()
    records = evaluated(task, "test")
    assert [record["unknown"] for record in records] == [1, 0]
    for record in records:
        record["answer"] = record["target"]
    scores = task.score("test", records)
    assert scores["exact"] == 0.5 and scores["f1"] == pytest.approx(2 * 2 / 5)
    assert task.remarks("test", records) == [
        "1 label of the test data is not in the training data and counts as missed: 'blue'"
    ]


def test_one_answer_to_everything_is_said() -> None:
    task = made()
    task.model.eval()
    records = evaluated(task, "valid")
    for record in records:
        record["answer"] = []
    (said,) = task.remarks("valid", records)
    none = sum(not record["target"] for record in records) / len(records)
    assert said == (
        f"every answer is (none) ({none:.1%}".replace("%", " %")
        + " of the validation data are); try --set threshold=0.25"
    )
    for record in records:
        record["answer"] = [0, 1]
    (said,) = task.remarks("valid", records)
    assert said.startswith("every answer is b, c (") and said.endswith("or with another --lr")
    records[0]["answer"] = [2]
    assert task.remarks("valid", records) == []


@pytest.mark.parametrize(("cell", "shown"), [("", r"\(none\)"), ("b\tc", "b, c"), ("c\tb", "b, c")])
def test_data_whose_labels_are_always_the_same_is_refused(cell: str, shown: str) -> None:
    rows = {"text": ["ab", "cd", "e"], "labels": [cell] * 3}
    with pytest.raises(ValueError, match=f"the labels are {shown} in all 3 training examples"):
        made(corpus(train=rows))


def test_one_label_that_some_have_can_be_learned() -> None:
    rows = {"text": ["ab", "cd"] * 9, "labels": ["b", ""] * 9}
    task = made(corpus(train=rows, valid=rows, test=rows))
    assert task.coder.sizes["classes"] == 1
    learn(task, 60, 0.03)
    assert task.score("test", evaluated(task, "test"))["exact"] == 1.0


def test_the_labels_of_a_cell_are_between_its_tabs() -> None:
    assert labels_in("a, b\tc") == ["a, b", "c"] and labels_in(" \t ") == []
    assert joined(["a"]) == "a" and joined([]) == "(none)"


def test_no_label_is_cut_where_texts_are() -> None:
    rows = {"text": ["bcdbcd", "e"] * 4, "labels": ["b\tc\td", ""] * 4}
    task = made(corpus(train=rows), longest=1)
    assert task.batch("train", np.array([0])).labels.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("value", [0, 1, -0.5, "half"])
def test_a_threshold_is_a_probability(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="threshold must be a"):
        settings(threshold=value)


def test_a_table_of_texts_and_their_labels_is_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    texts = splits_of_words(80, 2, 5)["train"]
    rows = (f'{text} a,"{cell}"\n' for text, cell in zip(texts, cells(texts), strict=True))
    path.write_text("plot,genres\n" + "".join(rows).replace("\t", "|"))
    given: dict[str, Any] = {"task": "multilabel", "embed_dim": 4, "steps": 3}
    run = regard.train(path, out=tmp_path / "run", options=Options(progress=False), **given)
    coder: Any = run.predictor.coder
    assert coder.labels == tuple(LETTERS) and 0 <= run.metrics["valid"]["f1"] <= 1
    assert set(run.predict(["bad"])[0].best) <= {*LETTERS, *"(none), "}


@pytest.mark.slow
def test_the_recipe_learns_its_own_data(tmp_path: Path) -> None:
    quiet = Options(progress=False)
    small: dict[str, Any] = {"embed_dim": 64, "dropout": 0.1, "batch": 400}
    run = regard.train(recipe="multilabel", out=tmp_path / "run", epochs=3, options=quiet, **small)
    scores = run.evaluate()
    assert scores["f1"] > 0.9 and scores["exact"] > 0.7
    (answer,) = run.predict(["the soup was awful . I loved the waiter ."])
    assert answer.best == "bad food, good service"
    assert "[task]" in (run.path / "config.toml").read_text()


@pytest.mark.parametrize("model", ["lstm", "dan", "han", "transformer"])
def test_networks_that_classify_do_it_too(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(DATA["aspects"], sizes={"train": 60, "valid": 9, "test": 9})
    monkeypatch.setitem(DATA, "aspects", few)
    given: dict[str, Any] = {"data": "synthetic:aspects", "task": "multilabel", "embed_dim": 8}
    given |= {"options": Options(progress=False), "steps": 2, "seed": 3}
    run = regard.train(out=tmp_path / "run", model=model, **given)
    assert 0 <= run.evaluate()["f1"] <= 1
    with pytest.raises(UsageError, match="no recipe trains the model 'abcnn' for multilabel"):
        regard.train(out=tmp_path / "no", model="abcnn", **given)
