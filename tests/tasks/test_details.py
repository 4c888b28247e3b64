"""What an evaluation tells beside its metrics agrees with the metrics, for every task."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from regard.tasks.details import Details
from regard.tasks.label_details import REST, SHOWN, confusion, label_details, per_class
from regard.tasks.number_details import by_answer, calibration
from regard.tasks.task import Task
from regard.tasks.translate.metrics import bleu_tokenizer, text_scores
from tests.tables.tasks import ROWS

SILENT = ("language_model", "masked_lm", "span_corruption", "permutation_lm", "tag", "extract")
"""Tasks that tell nothing beside their metrics."""


@pytest.mark.parametrize("name", ROWS)
def test_every_task_tells_plain_values_and_its_worst_examples_worst_first(
    name: str, tmp_path: Path
) -> None:
    task = ROWS[name].made(tmp_path)
    task.model.eval()
    records = task.examine("valid", np.arange(task.size("valid")))
    found = task.details("valid", records, 3)
    assert json.loads(json.dumps(found.entries())) == found.entries()
    assert len(found.worst) <= 3 and all(each.input for each in found.worst)
    losses = [each.loss for each in found.worst]
    assert losses == sorted(losses, reverse=True)
    assert (found == Details()) == (name in SILENT)
    assert not task.details("valid", records, 0).worst


def test_a_task_without_details_of_its_own_has_none(tmp_path: Path) -> None:
    task = ROWS["classify"].made(tmp_path)
    assert Task.details(task, "valid", [], 5) == Details()


def test_the_confusion_sums_what_is_beyond_the_largest_classes_and_says_so() -> None:
    labels = [f"class {n}" for n in range(SHOWN + 3)]
    targets = np.repeat(np.arange(SHOWN + 3), np.arange(SHOWN + 3, 0, -1))
    answers = np.roll(targets, 1)
    found = confusion(targets, answers, labels)
    assert len(found.rows) == SHOWN + 1 and found.columns[-1] == REST == found.rows[-1][0]
    assert f"{SHOWN} largest of {SHOWN + 3} classes" in found.note
    numbers = np.array([row[1:] for row in found.rows], dtype=int)
    assert numbers.sum() == len(targets)
    assert numbers.trace() >= (targets == answers).sum()
    few = confusion(targets[:30], answers[:30], labels)
    assert REST not in few.columns and not few.note
    assert sum(int(row[-1]) for row in per_class(targets, answers, labels).rows) == len(targets)


def test_labels_that_are_not_known_are_listed_and_not_judged() -> None:
    records = [
        {"target": -1, "answer": 0, "nll": 0.0, "probability": 0.9},
        {"target": 1, "answer": 0, "nll": 2.0, "probability": 0.9},
        {"target": 0, "answer": 0, "nll": 0.1, "probability": 0.9},
    ]
    written = [("x", "odd"), ("y", "b"), ("z", "a")]
    found = label_details(records, ("a", "b"), written.__getitem__, 5)
    assert "1 of 3 rows have a label that the run does not know" in found.notes[0]
    assert [(each.input, each.wanted, each.answered) for each in found.worst] == [("y", "b", "a")]
    nothing = label_details(records[:1], ("a", "b"), written.__getitem__, 5)
    assert nothing.tables == () and nothing.worst == ()


def test_calibration_names_what_is_wrong_with_the_answers() -> None:
    wanted, answered = np.array([0.0, 10.0, 20.0]), np.array([11.0, 12.0, 13.0])
    said = calibration(wanted, answered)
    assert "wanted = 10 * answered - 110" in said and "2 too high on average" in said
    assert "every answer is 3" in calibration(wanted, np.full(3, 3.0))
    assert sum(int(row[-1]) for row in by_answer(wanted, answered).rows) == 3


CHINESE = ["那只猫坐在垫子上。", "他今天早上去学校了。"]
JAPANESE = ["猫はマットの上に座っていました。"]
KOREAN = ["고양이가 매트 위에 앉아 있었습니다."]


def test_a_chinese_answer_is_measured_by_its_characters() -> None:
    assert text_scores(CHINESE, CHINESE)["bleu"] == 100.0
    wrong = [CHINESE[0].replace("猫", "狗"), CHINESE[1]]
    assert 0 < text_scores(wrong, CHINESE)["bleu"] < 100


@pytest.mark.parametrize(
    ("texts", "cut"),
    [
        (["The cat sat on the mat."], "13a"),
        (["Кошка сидела."], "13a"),
        (["", "12 + 3"], "13a"),
        (["He said 你好 to all of them there"], "13a"),
        (CHINESE, "zh"),
        (["แมวนั่งอยู่บนเสื่อ"], "char"),
        (["ແມວນັ່ງຢູ່ເທິງເສື່ອ"], "char"),
        (["ឆ្មាអង្គុយលើកន្ទេល"], "char"),
        (["ကြောင်က ဖျာပေါ်မှာ ထိုင်တယ်"], "char"),
    ],
)
def test_bleu_cuts_as_the_script_of_the_references_wants(texts: list[str], cut: str) -> None:
    assert bleu_tokenizer(texts) == cut


@pytest.mark.parametrize(
    ("texts", "cut", "package"), [(JAPANESE, "ja-mecab", "MeCab"), (KOREAN, "ko-mecab", "mecab_ko")]
)
def test_japanese_and_korean_are_cut_by_mecab_or_into_characters(
    texts: list[str], cut: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text_scores(texts, texts)["bleu"] == pytest.approx(100.0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert bleu_tokenizer(texts) == "char"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert bleu_tokenizer(texts) == cut
