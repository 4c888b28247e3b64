"""Recommendation ranks what it says it ranks, never trains on what it asks, and never fails on the
unknown."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard.data.encoding.catalogue import Catalogue
from regard.data.encoding.histories import Histories, Prefixes, histories, last_items, leave_one_out
from regard.data.synthetic.interests import rows
from regard.models.din import DIN, DINConfig
from regard.models.item_embedding import occurring_l2
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig
from regard.tasks.exchange import read_about
from regard.tasks.offers import Chosen
from regard.tasks.ranking import auc, group_auc, hit_rate, ndcg
from regard.tasks.recommend import Recommend
from regard.tasks.recommender import CATALOGUE, Recommender, features_of, named, spelled
from regard.tasks.task import Predictor, Task


@pytest.fixture(scope="module")
def found() -> Histories:
    return histories(rows("train", 900, 0))


def made(found: Histories, network: str = "din", **named: Any) -> Recommend:
    torch.manual_seed(0)
    items, model = len(found.catalogue), None
    if network == "din":
        sizes = {"embed_dim": 6, "attention_dim": 8, "hidden_dim": 10, "second_dim": 6}
        config = DINConfig(items=items, values=len(found.catalogue.values), **sizes)
        model = DIN(config, features_of(found.catalogue))
    else:
        model = YouTubeDNN(YouTubeDNNConfig(items=items, embed_dim=6, layers=1, samples=20))
    predictor = Recommender(model.eval(), found.catalogue, longest=12, top=5)
    return Recommend(predictor, leave_one_out(found), **{"batch_tokens": 600} | named)


both = pytest.mark.parametrize("network", ["din", "youtube_dnn"])


@both
def test_it_is_a_task_and_leaves_a_predictor(found: Histories, network: str) -> None:
    task = made(found, network)
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)


def test_negatives_are_of_the_seed_and_the_epoch_alone(found: Histories) -> None:
    task, every = made(found), np.arange(50)
    first, again, later = (task.part(epoch).batch(every).candidate for epoch in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first[:, 1:], later[:, 1:])
    assert torch.equal(first[:, 0], later[:, 0])
    assert not torch.equal(first, made(found, seed=1).part(3).batch(every).candidate)


def test_no_negative_was_chosen_by_its_user_in_training(found: Histories) -> None:
    task = made(found)
    train = task.examples["train"]
    offered = task.part(0).batch(np.arange(len(train))).candidate[:, 1:].numpy()
    for user, sequence in enumerate(found.sequences):
        mine = set(sequence[:-2].tolist())
        assert not mine & set(offered[train.users == user].ravel().tolist())
    assert set(offered.ravel().tolist()) == set(range(2, len(found.catalogue)))


def test_who_has_chosen_everything_is_offered_something_all_the_same() -> None:
    found = histories([("ann", item, "", "") for item in "abcdab"])
    chosen = Chosen(leave_one_out(found)["train"], len(found.catalogue))
    drawn = chosen.others(np.zeros(9, dtype=int), 4, np.random.default_rng(0))
    assert drawn.shape == (9, 4) and set(drawn.ravel().tolist()) <= {2, 3, 4, 5}


def test_a_batch_has_the_last_items_of_each_history_and_its_target(found: Histories) -> None:
    task = made(found)
    part, train = task.part(0), task.examples["train"]
    picked = np.array([40, 3, 3, 17])
    batch = part.batch(picked)
    for row, example in enumerate(picked):
        user, stop = train.users[example], train.stops[example]
        sequence = found.sequences.values[found.sequences.offsets[user] : stop]
        assert batch.lengths is not None
        assert batch.history[row, : batch.lengths[row]].tolist() == sequence[-12:].tolist()
        assert batch.candidate[row, 0] == found.sequences.values[stop]
    assert batch.labels == 4 * 5
    assert batch.tokens == int(part.lengths[picked].sum())


def test_a_plan_has_every_example_once(found: Histories) -> None:
    task = made(found)
    plan = task.plan(task.part(0).lengths, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(plan)), np.arange(len(task.examples["train"])))


def test_the_loss_is_the_sum_over_examples(found: Histories) -> None:
    task = made(found)
    part = task.part(0)
    alone = sum(task.loss(part.batch(np.array([row]))) for row in range(6))
    torch.testing.assert_close(task.loss(part.batch(np.arange(6))), alone)


def test_the_penalty_is_added_to_the_mean(found: Histories) -> None:
    plain, decayed = made(found), made(found, l2=0.3)
    batch = plain.part(0).batch(np.arange(6))
    items = torch.cat([batch.history.flatten(), batch.candidate.flatten()])
    train = leave_one_out(found)["train"]
    counts = np.bincount(
        np.concatenate([sequence[:-2] for sequence in found.sequences]), minlength=plain.items
    )
    assert plain.chosen is not None and plain.chosen.counts.tolist() == counts.tolist()
    penalty = occurring_l2(plain.predictor.model.embedding, items, torch.tensor(counts).float())
    wanted = plain.loss(batch) / batch.labels + 0.3 * penalty
    torch.testing.assert_close(decayed.loss(batch) / batch.labels, wanted)
    assert len(train) > 0


def brute_rank(task: Recommend, history: list[int], target: int) -> int:
    every = torch.arange(2, task.items)[None]
    scores = task.predictor.model(torch.tensor([history[-12:]]), None, every)[0]
    free = [i for i in range(2, task.items) if i == target or i not in history]
    return 1 + sum(bool(scores[i - 2] >= scores[target - 2]) for i in free if i != target)


@both
def test_the_rank_is_among_all_items_but_those_of_the_history(
    found: Histories, network: str
) -> None:
    task = made(found, network)
    part, asked = task.examples["test"], np.array([5, 0, 9, 20])
    records = task.examine("test", asked)
    for row, record in zip(asked, records, strict=True):
        history = part.take(np.array([row])).values.tolist()
        assert record["rank"] == brute_rank(task, history, int(part.targets[row]))
        assert record["user"] == part.users[row] and len(record["others"]) == 20


@both
@pytest.mark.parametrize("candidates", [0, 30])
def test_the_rows_that_are_asked_make_no_difference_to_each_answer(
    found: Histories, network: str, candidates: int
) -> None:
    task = made(found, network, candidates=candidates)
    asked = np.array([5, 30, 7, 0])
    together = task.examine("valid", asked)
    for row, record in zip(asked, together, strict=True):
        alone = task.examine("valid", np.array([row]))[0]
        assert alone["rank"] == record["rank"]
        np.testing.assert_allclose(alone["others"], record["others"], rtol=1e-5, atol=1e-6)
        assert alone["nats"] == pytest.approx(record["nats"], rel=1e-5)
    assert task.examine("valid", asked[:0]) == []


def test_a_model_that_knows_nothing_is_not_praised_for_ties(found: Histories) -> None:
    task = made(found)
    for weight in task.predictor.model.parameters():
        weight.data.zero_()
    every = np.arange(task.size("test"))
    for candidates in (0, 30):
        task.candidates = candidates
        scores = task.score("test", task.examine("test", every))
        assert scores["ndcg"] == scores["hit_rate"] == 0.0
        assert scores["auc"] == scores["gauc"] == 0.5
        assert scores["loss"] == pytest.approx(np.log(2), rel=1e-6)


def test_a_model_without_numbers_is_not_praised_either(found: Histories) -> None:
    task = made(found)
    task.predictor.model.output.bias.data.fill_(float("nan"))
    assert task.score("test", task.examine("test", np.arange(9)))["hit_rate"] == 0.0


def test_an_item_that_is_not_known_is_a_miss_and_counts_in_nothing_else(found: Histories) -> None:
    task = made(found)
    further = histories(
        [("eve", "jazz-01", "", ""), ("eve", "new", "", ""), ("joe", "tea-01", "", "")],
        catalogue=found.catalogue,
    )
    asked = Recommend(task.predictor, {"test": last_items(further)})
    records = asked.examine("test", np.arange(2))
    assert [record["rank"] is None for record in records] == [True, False]
    scores = asked.score("test", records)
    assert all(np.isfinite(value) for value in scores.values())
    assert asked.score("test", records[:1]) == {"ndcg": 0.0, "hit_rate": 0.0, "unknown": 1.0}
    assert scores["unknown"] == 0.5 and "unknown" not in asked.score("test", records[1:])


def test_more_than_ten_thousand_items_are_ranked_by_samples() -> None:
    catalogue = Catalogue.build({str(n): 1 for n in range(10_001)})
    model = YouTubeDNN(YouTubeDNNConfig(items=len(catalogue), embed_dim=2, layers=1))
    assert Recommend(Recommender(model, catalogue), {}).candidates == 100


@pytest.mark.parametrize(
    "named", [{"negatives": 0}, {"candidates": 1}, {"candidates": -1}], ids=str
)
def test_numbers_that_make_no_sense_are_refused(found: Histories, named: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negatives must be at least 1"):
        made(found, **named)


def test_one_item_is_nothing_to_choose_from() -> None:
    with pytest.raises(ValueError, match="two items to choose from, there are 1"):
        made(histories([("ann", "tea", "", "")]))


@both
def test_the_answer_is_the_best_items_that_the_history_does_not_hold(
    found: Histories, network: str
) -> None:
    task = made(found, network)
    (answer,) = task.predictor.predict(["jazz-01, tea-02 , jazz-01"])
    assert answer.inputs == ("jazz-01", "tea-02", "jazz-01")
    assert answer.outputs == tuple(item for item, _ in answer.answers) and len(answer.answers) == 5
    assert not {"jazz-01", "tea-02"} & set(answer.outputs)
    scores = [score for _, score in answer.answers]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    history = found.catalogue.encode(answer.inputs)
    ranks = [brute_rank(task, history, found.catalogue.encode([i])[0]) for i in answer.outputs]
    assert ranks == [1, 2, 3, 4, 5]
    assert answer.weights is not None and answer.weights.shape == (5, 3)
    torch.testing.assert_close(answer.weights.sum(1), torch.ones(5))
    assert len(task.predictor.predict(["jazz-01"], beams=7)[0].answers) == 7


@both
def test_unknown_items_are_named_and_left_out_and_no_history_is_an_answer(
    found: Histories, network: str
) -> None:
    predictor = made(found, network).predictor
    answers = predictor.predict(["wine-01 nothing <pad> wine-01", "wine-01 wine-01", "", "nothing"])
    assert answers[0].unknown == ("<pad>", "nothing") and answers[1].unknown == ()
    assert answers[0].answers == answers[1].answers
    assert answers[2].answers == answers[3].answers and answers[2].weights is None
    assert all(np.isfinite(score) for _, score in answers[2].answers)


def test_a_history_of_everything_is_refused() -> None:
    found = histories([("ann", item, "", "") for item in "abcab"])
    predictor = made(found).predictor
    assert len(predictor.predict(["a b"])[0].answers) == 1
    with pytest.raises(ValueError, match="'a b c' holds every item; nothing is left"):
        predictor.predict(["a b c"])


@pytest.mark.parametrize("names", [["tea", "green tea"], ["a, b", "c"], [], ["one"]], ids=str)
def test_names_written_as_a_text_are_read_again(names: list[str]) -> None:
    assert named(spelled(names)) == names


def test_what_is_shown_are_histories_and_what_came_next(found: Histories) -> None:
    task = made(found)
    text, wanted = task.fixed[0]
    sequence = found.catalogue.decode(next(iter(found.sequences)).tolist())
    assert named(text) == sequence[:-2][-12:] and wanted == sequence[-2]


@both
def test_a_saved_recommender_stands_by_itself(
    found: Histories, network: str, tmp_path: Path
) -> None:
    predictor = made(found, network).predictor
    predictor.save(tmp_path)
    about = read_about(tmp_path)
    assert about == {"task": "recommend", "longest": 12, "top": 5}
    assert Catalogue.load(tmp_path / CATALOGUE).items == predictor.catalogue.items


def test_areas_are_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        clicked, others = rng.integers(0, 6, 7) / 2, rng.integers(0, 6, 11) / 2
        pairs = [float(a > b) + 0.5 * (a == b) for a, b in itertools.product(clicked, others)]
        assert auc(clicked, others) == pytest.approx(np.mean(pairs))
    assert auc(clicked, others[:0]) is None


def test_the_grouped_area_weighs_users_by_what_was_shown_to_them() -> None:
    found = group_auc([7, 8, 8], [[3.0], [1.0], [5.0]], [[1.0], [2.0, 0.0], []])
    assert found == pytest.approx((2 * 1.0 + 4 * 0.75) / 6)
    assert group_auc([1], [[1.0]], [[]]) is None


def test_hits_and_gains_are_their_definitions() -> None:
    ranks = [1, 2, 10, 11, None]
    assert hit_rate(ranks, 10) == 3 / 5
    assert ndcg(ranks, 10) == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(11)) / 5)
    assert hit_rate([], 10) == ndcg([], 10) == 0.0


def test_prefixes_without_rows_are_asked_nothing(found: Histories) -> None:
    task = made(found)
    none = np.zeros(0, dtype=np.int64)
    task.examples = {"test": Prefixes(none, none, none, none, none)}
    assert task.size("test") == 0 and task.size("other") == 0
    assert task.examine("test", none) == []
