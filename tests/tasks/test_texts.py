"""Tasks of texts: examined by several, saved with given weights, asked one by one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard.tasks import task_class
from regard.tasks.exchange import read_about
from regard.tasks.predictor import Answer
from regard.tasks.task import as_sample, better
from tests.tasks.small import TASKS

TEXTS = {"translate": ["ab", "e", "deab"], "classify": ["bc", "eeea", "d"]}
TEXTS["language_model"] = ["abc", "d a", "c"]


def load_predictor(folder: Path) -> Any:
    """What a task has left in a folder."""
    about = read_about(folder)
    return task_class(about["task"]).predictor_type.load(folder, about)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return TASKS[request.param](tmp_path)


@pytest.mark.parametrize("num_answers", [1, 3])
def test_a_score_does_not_depend_on_the_order_or_the_processes_that_examine(
    task: Any, num_answers: int
) -> None:
    model = task.predictor.model.double().eval()
    assert not model.training
    rows = np.arange(task.size("valid"))
    whole = task.score("valid", task.examine("valid", rows, num_answers))
    merged: dict[int, dict[str, Any]] = {}
    for rank in (2, 0, 1):
        share = rows[rank::3][::-1]
        merged.update(zip(share.tolist(), task.examine("valid", share, num_answers), strict=True))
    again = task.score("valid", [merged[row] for row in rows.tolist()])
    assert whole.keys() == again.keys() and task.metric in whole
    assert again == pytest.approx(whole, rel=1e-5)
    assert task.examine("valid", rows[:0], num_answers) == []


def test_weights_given_to_save_are_the_ones_that_are_saved(task: Any, tmp_path: Path) -> None:
    weights = {name: torch.ones_like(t) for name, t in task.predictor.model.state_dict().items()}
    task.predictor.save(tmp_path, weights)
    for tensor in load_predictor(tmp_path).model.state_dict().values():
        assert (tensor == 1).all()


def test_texts_are_answered_each_for_itself_and_an_empty_one_is_refused(task: Any) -> None:
    predictor = task.predictor
    predictor.model.eval()
    texts = TEXTS[task.name]
    answers = predictor.predict(texts)
    assert [answer.text for answer in answers] == texts
    if task.name != "language_model":  # whose draws depend on the number of the text
        for text, answer in zip(texts, answers, strict=True):
            same(predictor.predict([text]), [answer])
    for answer in answers:
        assert answer.weights.shape[1] == len(answer.inputs)
        rows = answer.weights.sum(-1)
        torch.testing.assert_close(rows, torch.ones_like(rows))
    with pytest.raises(ValueError, match="text 2 of 2 is empty"):
        predictor.predict(["a", ""])
    assert predictor.predict([]) == []


def test_letters_that_were_never_seen_are_named(task: Any) -> None:
    (answer,) = task.predictor.predict(["a☃"])
    assert answer.unknown == ("☃",)


def test_an_answer_is_a_sample_of_plain_values() -> None:
    answer = Answer("t", (("x", -1.0), ("y", -2.0)), ("a",), ("b",), torch.tensor([[0.12345]]))
    sample = as_sample(answer, "z")
    assert sample == {
        "input": "t",
        "answer": "x",
        "wanted": "z",
        "inputs": ["a"],
        "outputs": ["b"],
        "weights": [[0.123]],
    }
    assert as_sample(Answer("t", (("x", -1.0),)), None)["weights"] is None


def test_better_is_lower_for_losses_and_higher_for_the_rest() -> None:
    for metric in ("loss", "perplexity", "bits_per_character"):
        assert better(metric, 1.0, 2.0) and not better(metric, 2.0, 1.0)
    for metric in ("bleu", "accuracy", "exact", "f1"):
        assert better(metric, 2.0, 1.0) and not better(metric, 1.0, 2.0)
    nan, inf = float("nan"), float("inf")
    assert not better("loss", 1.0, 1.0) and better("loss", 1.0, None)
    assert not better("loss", nan, None) and not better("bleu", nan, 1.0)
    assert not better("loss", inf, None) and not better("bleu", inf, 1.0)


def same(one: list[Answer], other: list[Answer]) -> None:
    """Fail unless the answers are equal, their numbers up to rounding."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert [text for text, _ in a.answers] == [text for text, _ in b.answers]
        assert [s for _, s in a.answers] == pytest.approx([s for _, s in b.answers], rel=1e-4)
        assert (a.text, a.inputs, a.outputs, a.unknown) == (b.text, b.inputs, b.outputs, b.unknown)
        torch.testing.assert_close(a.weights, b.weights)
