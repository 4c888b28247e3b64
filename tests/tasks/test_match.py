"""Matching: candidates are ranked, and what is said to pairs that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.nn.functional import log_softmax

from regard.tasks.match import Matcher
from regard.tasks.match.metrics import ranked_records, ranking
from regard.tasks.task import as_sample
from tests.tasks.labels import matching
from tests.tasks.rows import learn, table


def test_ranking_is_learned_with_the_labels(tmp_path: Path) -> None:
    task = matching(tmp_path, batch_tokens=400)
    learn(task, 120, rate=0.03)
    scores = task.score("train", task.examine("train", np.arange(60)))
    assert set(scores) == {"loss", "accuracy", "balanced_accuracy", "f1", "map", "mrr"}
    assert scores["accuracy"] >= 0.9 and scores["map"] >= 0.9 and scores["mrr"] >= 0.9


def test_pairs_of_one_left_sentence_are_ranked_by_how_likely_the_second_label_is(
    tmp_path: Path,
) -> None:
    task = matching(tmp_path)
    task.model.eval()
    batch, records = task.part(0).batch(np.arange(9)), task.examine("train", np.arange(9))
    scores = log_softmax(task.model(batch.left, batch.right), -1)
    ranks = (scores[:, 1] - scores[:, 0]).tolist()
    assert [r["match"] for r in records] == pytest.approx(ranks, rel=1e-4, abs=1e-6)
    assert [r["group"] == records[0]["group"] for r in records] == [True] * 5 + [False] * 4


def test_candidates_are_ranked_only_where_there_are_right_and_wrong_ones() -> None:
    mixed = [(0.2, True), (0.9, False), (0.5, True), (0.1, False)]
    assert ranking([mixed, [(0.5, True)] * 2, [(0.4, False)]]) == {
        "map": pytest.approx((1 / 2 + 2 / 3) / 2),
        "mrr": 1 / 2,
    }
    assert ranking([[(0.5, True), (0.5, False)]])["mrr"] == 1 / 2
    assert ranking([]) == ranking([[(0.5, True)]]) == {}


def test_labels_that_are_not_two_rank_nothing(tmp_path: Path) -> None:
    task = matching(tmp_path)
    records: list[dict[str, Any]] = [
        {"target": 1, "answer": 2, "nll": 0.5},
        {"target": 1, "answer": 1, "nll": 0.25},
    ]
    assert set(task.score("valid", records)) == {"loss", "accuracy", "balanced_accuracy", "f1"}


def test_a_candidate_without_a_known_label_is_not_ranked() -> None:
    known = [{"target": n, "group": "a", "match": m} for n, m in ((1, 0.5), (0, 0.7))]
    assert ranked_records([*known, {"target": -1, "group": "a", "match": 0.6}]) == {
        "map": 0.5,
        "mrr": 0.5,
    }


def test_an_answer_shows_which_words_of_the_left_match_each_of_the_right(tmp_path: Path) -> None:
    predictor = matching(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict([("ab", "cba")])
    assert answer.inputs == ("a", "b") and answer.outputs == ("c", "b", "a")
    assert answer.weights.argmax(1).tolist()[1:] == [1, 0]
    assert as_sample(answer, "yes")["input"] == "ab\tcba"


def test_a_long_sentence_is_read_up_to_where_it_was_cut_in_training(tmp_path: Path) -> None:
    predictor = matching(tmp_path).predictor
    predictor.model.eval()
    long, cut = predictor.predict([("bbbbbba", "ab"), ("bbbbbb", "ab")])
    assert long.inputs == cut.inputs and long.answers == cut.answers


def test_words_that_were_never_seen_are_named(tmp_path: Path) -> None:
    (answer,) = matching(tmp_path).predictor.predict([("axb", "yab")])
    assert answer.unknown == ("x", "y")


@pytest.mark.parametrize(("pair", "side"), [(("", "ab"), "left"), (("ab", ""), "right")])
def test_a_pair_with_an_empty_side_is_refused(
    pair: tuple[str, str], side: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"the {side} sentence of pair 2 of 2 is empty; give both"):
        matching(tmp_path).predictor.predict([("a", "b"), pair])


@pytest.mark.parametrize(("text", "tabs"), [("abc", 0), ("a\tb\tc", 2)])
def test_a_text_that_is_not_two_sentences_is_refused(text: str, tabs: int) -> None:
    assert Matcher.parse("a b\tc") == ("a b", "c")
    with pytest.raises(ValueError, match=f"the text has {tabs} tabs, not 1; give two sentences"):
        Matcher.parse(text)


def test_data_with_an_empty_side_is_refused_with_the_row(tmp_path: Path) -> None:
    task = matching(tmp_path)
    columns = {"left": ["ab", "a", ""], "right": ["b", "", "b"], "label": ["no"] * 3}
    rows = table(**columns)
    with pytest.raises(ValueError, match=r"right sentence of row 2 in train is empty \(2 such"):
        task.coder.encode({"train": rows}, tmp_path / "empty")
    with pytest.raises(ValueError, match=r"right sentence of row 2 in stream is empty \(2 such"):
        task.coder.encode_rows(list(rows))
