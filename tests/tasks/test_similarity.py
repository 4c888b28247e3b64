"""Similarity: pairs have numbers, learned on a scale of their own and judged by correlation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError
from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.run.loading import load_predictor
from regard.run.training import Options
from regard.tasks.regress.metrics import number_scores, ranks
from regard.tasks.similarity import Similarity, SimilarityPredictor, SimilaritySettings
from regard.tasks.similarity.schema import SCHEMA
from tests.tasks.rows import learn, splits_of_words, table


def shared(one: str, other: str) -> float:
    """Five times the share of the letters of both that both have."""
    return 5 * len({*one} & {*other}) / len({*one} | {*other})


def corpus(**changes: Any) -> Corpus:
    columns = {}
    for split, texts in splits_of_words(240, 1, 4).items():
        rights = texts[1:] + texts[:1]
        rights = [b if n % 3 else a for n, (a, b) in enumerate(zip(texts, rights, strict=True))]
        numbers: Any = [shared(a, b) for a, b in zip(texts, rights, strict=True)]
        columns[split] = {"left": texts, "right": rights, "number": numbers}
    splits = {split: table(**rows) for split, rows in {**columns, **changes}.items()}
    return Corpus(SCHEMA, splits, ("left", "right", "number"), "words", "of a test")


def abcnn(**sizes: Any) -> ABCNN:
    torch.manual_seed(0)
    known = {name: sizes[name] for name in ABCNNConfig.from_data}
    return ABCNN(ABCNNConfig(**known, embed_dim=8, hidden_dim=6, width=2))


def made(data: Corpus | None = None) -> Similarity:
    known = {"tokens": {"kind": "characters"}, "batch_tokens": 400, "longest": 6}
    return Similarity(data or corpus(), abcnn, SimilaritySettings.from_entries(known))


def test_it_learns_how_alike_two_words_are() -> None:
    task = made()
    learn(task, 150, 0.03)
    scores = task.score("test", task.examine("test", np.arange(task.size("test"))))
    assert set(scores) == {"loss", "pearson", "spearman", "mse"}
    assert scores["pearson"] > 0.9 and scores["spearman"] > 0.8 and scores["mse"] < 1
    same, other = task.predictor.predict([("abc", "abc"), ("abc", "de")])
    assert float(same.best) > float(other.best) + 2 and same.answers[0][1] == 0
    assert same.weights is not None and same.weights.shape == (3, 3)


def test_the_loss_is_in_deviations_and_the_scores_in_the_units_of_the_data() -> None:
    task = made()
    task.model.double().eval()
    rows = np.arange(task.size("valid"))
    batch, records = task.batch("valid", rows), task.examine("valid", rows)
    numbers = np.array(task.data.texts["valid"]["number"])
    mean, deviation = (f(np.array(task.data.texts["train"]["number"])) for f in (np.mean, np.std))
    output = task.model(batch.left, batch.right).detach().numpy()[:, 0]
    errors = output - (numbers - mean) / deviation
    assert task.loss(batch).item() == pytest.approx((errors**2).sum(), rel=1e-5)
    scores = task.score("valid", records)
    assert scores["loss"] == pytest.approx((errors**2).mean(), rel=1e-5)
    assert scores["mse"] == pytest.approx(((errors * deviation) ** 2).mean(), rel=1e-5)
    answers = output * deviation + mean
    assert scores["pearson"] == pytest.approx(np.corrcoef(answers, numbers)[0, 1], abs=1e-6)
    assert task.metric == "pearson"


def test_spearman_gives_ties_the_mean_of_their_places() -> None:
    # By hand: places 1 2.5 2.5 4 and 2 1 3.5 3.5, their deviations -1.5 0 0 1.5 and -0.5 -1.5 1 1;
    # Σ xy = 0.75 + 1.5 = 2.25, Σ xx = 4.5, Σ yy = 0.25 + 2.25 + 1 + 1 = 4.5.
    answers, targets = np.array([1.0, 7.0, 7.0, 9.0]), np.array([3.0, 1.0, 8.0, 8.0])
    assert ranks(answers).tolist() == [1, 2.5, 2.5, 4]
    assert number_scores(answers, targets)["spearman"] == pytest.approx(2.25 / 4.5)


def test_it_answers_as_before_after_it_was_saved(tmp_path: Path) -> None:
    task = made()
    task.model.eval()
    task.predictor.save(tmp_path)
    again = load_predictor(tmp_path)
    assert isinstance(again, SimilarityPredictor)
    pairs = [("ab", "abc"), ("e", "d")]
    assert [a.answers for a in again.predict(pairs)] == [
        a.answers for a in task.predictor.predict(pairs)
    ]


@pytest.mark.parametrize(("pair", "side"), [(("", "ab"), "left"), (("ab", ""), "right")])
def test_a_pair_with_an_empty_side_is_refused(pair: tuple[str, str], side: str) -> None:
    with pytest.raises(ValueError, match=f"the {side} sentence of pair 2 of 2 is empty; give both"):
        made().predictor.predict([("a", "b"), pair])
    rows: Any = {"left": ["ab", pair[0]], "right": ["b", pair[1]], "number": [1.0, 2.0]}
    with pytest.raises(ValueError, match=f"the {side} sentence of row 2 in train is empty"):
        made(corpus(train=rows))


def test_one_text_is_no_pair() -> None:
    with pytest.raises(ValueError, match="the text has 0 tabs, not 1; give two sentences"):
        SimilarityPredictor.parse("alone")


def test_numbers_that_are_all_the_same_are_refused() -> None:
    rows: Any = {"left": ["ab", "a"], "right": ["b", "b"], "number": [2.5, 2.5]}
    with pytest.raises(ValueError, match="the number is 2.5 in all 2 training examples; at least"):
        made(corpus(train=rows))


def test_a_table_of_scored_pairs_is_trained_on_by_its_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    words = splits_of_words(60, 1, 4)["train"]
    rows = [f"{a} {b},{b} {a},{shared(a, b):.2f}\n" for a, b in zip(words, words[1:], strict=False)]
    path.write_text("sentence1,sentence2,score\n" + "".join(rows))
    given: dict[str, Any] = {"task": "similarity", "embed_dim": 4, "hidden_dim": 4}
    given |= {"steps": 3, "options": Options(progress=False)}
    run = regard.train(path, out=tmp_path / "run", **given)
    (answer,) = run.predict(["ab\tabc"])
    assert np.isfinite(float(answer.best)) and -1 <= run.metrics["valid"]["pearson"] <= 1
    with pytest.raises(UsageError, match="no recipe trains the model 'lstm' for similarity"):
        regard.train(path, out=tmp_path / "no", model="lstm", **given)


@pytest.mark.slow
def test_the_recipe_learns_its_own_data(tmp_path: Path) -> None:
    quiet = Options(progress=False)
    run = regard.train(recipe="similarity", out=tmp_path / "run", epochs=3, options=quiet)
    assert run.evaluate()["pearson"] > 0.8
