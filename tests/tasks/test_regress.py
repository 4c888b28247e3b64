"""Regression: numbers are learned on a scale of their own and answered on the data's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding.tokenizer import Tokenizer
from regard.models.lstm import LSTMClassifier, LSTMConfig
from regard.tasks.classify.schema import SCHEMA as CLASSIFY
from regard.tasks.regress import Regress, RegressSettings
from regard.tasks.regress.coder import Scale, TextsAndNumbers, load_scale
from regard.tasks.regress.metrics import number_scores
from regard.tasks.regress.schema import SCHEMA
from tests.data.any_task import read_as as read
from tests.tasks.rows import learn, splits_of_words

FLOATS = st.floats(-100, 100, allow_subnormal=False)


def written(folder: Path, header: str = "text,price") -> str:
    """Words that cost 250 and 100 more for each `b`."""
    for split, texts in splits_of_words(200, 3, 6).items():
        rows = "".join(f"{text},{250 + 100 * text.count('b')}\n" for text in texts)
        (folder / f"{split}.csv").write_text(f"{header}\n{rows}")
    return str(folder)


def lstm(**sizes: Any) -> LSTMClassifier:
    torch.manual_seed(0)
    known = {name: sizes[name] for name in LSTMConfig.from_data}
    small: dict[str, Any] = {"embed_dim": 12, "hidden_dim": 12, "dropout": 0.0, "word_dropout": 0.0}
    return LSTMClassifier(LSTMConfig(**known, **small))


def settings() -> RegressSettings:
    return RegressSettings.from_entries({"tokens": {"kind": "characters"}, "batch_tokens": 200})


def test_it_counts_letters(tmp_path: Path) -> None:
    task = Regress(written(tmp_path), lstm, settings())
    learn(task, 300, 0.02)
    scores = task.score("test", task.examine("test", np.arange(task.size("test"))))
    assert scores["rmse"] < 20 and scores["spearman"] > 0.9 and scores["pearson"] > 0.99
    answer = task.predictor.predict(["bbab"])[0]
    assert abs(float(answer.best) - 550) < 60
    assert answer.outputs == (answer.best,) and len(answer.inputs) == 4


def test_the_scores_are_in_units_of_the_data_and_the_loss_in_deviations(tmp_path: Path) -> None:
    task = Regress(written(tmp_path), lstm, settings())
    rows = np.arange(task.size("valid"))
    records = task.examine("valid", rows)
    targets = np.array(task.data.texts["valid"]["number"])
    answers = np.array([float(each["answer"]) for each in records])
    np.testing.assert_allclose([each["target"] for each in records], targets, rtol=1e-6)
    scores = task.score("valid", records)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean((answers - targets) ** 2)), rel=1e-5)
    batch = task.batch("valid", rows)
    assert task.loss(batch).item() / len(rows) == pytest.approx(scores["loss"], rel=1e-4)


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=20))
def test_correlations_are_those_of_numpy_and_of_places(pairs: list[tuple[float, float]]) -> None:
    x, y = np.round(np.array(pairs).T, 1)
    found = number_scores(x, y)
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert found["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
        below = [(v[:, None] > v).sum(1) + (v[:, None] == v).sum(1) / 2 for v in (x, y)]
        assert found["spearman"] == pytest.approx(np.corrcoef(*below)[0, 1], abs=1e-6)
    else:
        assert found["pearson"] == found["spearman"] == 0
    assert number_scores(np.full(7, 0.1), np.arange(7.0))["pearson"] == 0
    assert found["mae"] <= found["rmse"] * (1 + 1e-12)


def test_few_whole_numbers_are_labels_or_numbers_as_somebody_says(tmp_path: Path) -> None:
    rows = "".join(f"film {n},{n % 3}\n" for n in range(30))
    path = tmp_path / "films.csv"
    path.write_text(f"review,stars\n{rows}")
    with pytest.raises(ValueError, match="can be read in 2 ways; say which:"):
        read(str(path), [CLASSIFY, SCHEMA])
    assert read(str(path), [CLASSIFY, SCHEMA], "classify").labels == ("0", "1", "2")
    corpus = read(str(path), [CLASSIFY, SCHEMA], "regress")
    assert corpus.task == "regress" and set(corpus.splits["train"]["number"]) <= {0.0, 1.0, 2.0}


def test_columns_of_any_names_can_be_said(tmp_path: Path) -> None:
    corpus = read(
        written(tmp_path, "text,cost in francs"), [CLASSIFY, SCHEMA], "regress",
        source="text", target="cost in francs",
    )  # fmt: skip
    assert corpus.names == ("text", "cost in francs")


def test_one_number_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="number is 4.5 in all 3 training examples; at least 2"):
        Scale.of(np.full(3, 4.5))


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"mean": 1.0, "deviation": 0.0}', "null"])
def test_a_damaged_scale_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scale.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="scale.json is damaged"):
        load_scale(path)


def test_the_scale_comes_back_from_its_file(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["abc"], "characters")
    coder = TextsAndNumbers(tokenizer, Scale(1 / 3, 7e-9), 12, True)
    assert coder.save(tmp_path) == ["tokenizer.json", "scale.json"]
    again = TextsAndNumbers.load(tmp_path, coder.entries())
    assert (again.scale, again.longest, again.sentences) == (coder.scale, 12, True)
