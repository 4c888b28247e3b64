"""Recommendation ranks what it says it ranks, never trains on what it asks, and never fails on the
unknown."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard._io.extra import extra
from regard.data.encoding.catalogue import Catalogue
from regard.data.encoding.histories import (
    Histories,
    Prefixes,
    histories,
    last_items,
    leave_one_out,
)
from regard.data.encoding.interactions import held_out_examples, histories_in
from regard.data.encoding.ragged import Ragged
from regard.data.synthetic.interests import interaction_rows
from regard.models.din import DIN
from regard.models.youtube_dnn import YouTubeDNN
from regard.sequences import Sequences
from regard.tasks.exchange import read_about
from regard.tasks.recommend import (
    BinaryCrossEntropy,
    Recommend,
    Recommender,
    RecommendSettings,
    SampledSoftmax,
)
from regard.tasks.recommend.coder import CATALOGUE, ItemCoder
from regard.tasks.recommend.losses import loss_for, occurring_l2
from regard.tasks.recommend.metrics import auc, group_auc, hit_rate, ndcg
from regard.tasks.recommend.offers import ChosenItems
from regard.tasks.recommend.predictor import as_text
from regard.tasks.task import Encoded

SMALL: dict[str, dict[str, Any]] = {
    "din": {
        "embed_dim": 6,
        "hidden_dim": 10,
        "second_dim": 6,
        "pooling": "attention(score=mlp(hidden_dims=(8, 4)))",
    },
    "youtube_dnn": {"embed_dim": 6, "layers": 1},
}
KINDS: dict[str, Any] = {"din": DIN, "youtube_dnn": YouTubeDNN}


@pytest.fixture(scope="module")
def found() -> Histories:
    return histories(interaction_rows("train", 900, 0))


def network(name: str) -> Callable[..., nn.Module]:
    """What makes the network of the sizes that the data decides."""

    def make(**sizes: Any) -> nn.Module:
        torch.manual_seed(0)
        kind = KINDS[name]
        decided = {key: sizes[key] for key in kind.config_type.from_data}
        model: nn.Module = kind(kind.config_type.from_entries(SMALL[name] | decided))
        return model.eval()

    return make


def made(
    found: Histories, name: str = "din", examples: Any = None, seed: int = 0, **settings: Any
) -> Recommend:
    """The task over these histories; five items are recommended, of twelve that are read."""
    coder = ItemCoder(found.catalogue, longest=12, top_k=5)
    data = Encoded(coder, leave_one_out(found) if examples is None else examples, {})
    return Recommend(
        data, network(name), RecommendSettings(**{"batch_tokens": 600} | settings), seed=seed
    )


def offer(task: Recommend, epoch: int, rows: np.ndarray) -> Tensor:
    """What is offered to these examples in an epoch."""
    return task.part(epoch).batch(rows).candidate


both = pytest.mark.parametrize("name", ["din", "youtube_dnn"])


def test_negatives_are_of_the_seed_and_the_epoch_alone(found: Histories) -> None:
    task, every = made(found), np.arange(50)
    first, again, later = (offer(task, epoch, every) for epoch in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first[:, 1:], later[:, 1:])
    assert torch.equal(first[:, 0], later[:, 0])
    assert not torch.equal(first, offer(made(found, seed=1), 3, every))


def test_no_negative_was_chosen_by_its_user_in_training(found: Histories) -> None:
    task = made(found)
    train = task.data.examples["train"]
    offered = offer(task, 0, np.arange(len(train)))[:, 1:].numpy()
    for user, sequence in enumerate(found.sequences):
        mine = set(sequence[:-2].tolist())
        assert not mine & set(offered[train.users == user].ravel().tolist())
    assert set(offered.ravel().tolist()) == set(range(2, len(found.catalogue)))


def test_who_has_chosen_everything_is_offered_something_all_the_same() -> None:
    found = histories([("ann", item, "", "") for item in "abcdab"])
    chosen = ChosenItems(leave_one_out(found)["train"], len(found.catalogue), 2)
    drawn = chosen.others(np.zeros(9, dtype=int), 4, np.random.default_rng(0))
    assert drawn.shape == (9, 4) and set(drawn.ravel().tolist()) <= {2, 3, 4, 5}


def test_a_batch_has_the_last_items_of_each_history_and_its_target(found: Histories) -> None:
    task = made(found)
    part, train = task.part(0), task.data.examples["train"]
    picked = np.array([40, 3, 3, 17])
    batch = part.batch(picked)
    for row, example in enumerate(picked):
        user, stop = train.users[example], train.stops[example]
        sequence = found.sequences.values[found.sequences.offsets[user] : stop]
        read = batch.history.ids[row][batch.history.real[row]]
        assert read.tolist() == sequence[-12:].tolist()
        assert batch.candidate[row, 0] == found.sequences.values[stop]
    assert batch.num_targets == 4 * 5
    assert batch.num_tokens == int(part.lengths[picked].sum())


def test_the_penalty_is_added_to_the_mean(found: Histories) -> None:
    plain, decayed = made(found), made(found, l2=0.3)
    batch = plain.part(0).batch(np.arange(6))
    read = batch.history.ids[batch.history.real]
    items = torch.cat([read, batch.candidate.flatten()])
    counts = np.bincount(
        np.concatenate([sequence[:-2] for sequence in found.sequences]),
        minlength=len(found.catalogue),
    )
    assert plain.chosen is not None and plain.chosen.counts.tolist() == counts.tolist()
    penalty = occurring_l2(plain.model.item_table, items, torch.tensor(counts).float())
    wanted = plain.loss(batch) / batch.num_targets + 0.3 * penalty
    torch.testing.assert_close(decayed.loss(batch) / batch.num_targets, wanted)


def brute_rank(task: Recommend, history: list[int], target: int) -> int:
    every = torch.tensor([list(task.items)])
    scores = task.model(Sequences(torch.tensor([history[-12:]])), every)[0]
    free = [i for i in task.items if i == target or i not in history]
    return 1 + sum(bool(scores[i - 2] >= scores[target - 2]) for i in free if i != target)


@both
def test_the_rank_is_among_all_items_but_those_of_the_history(found: Histories, name: str) -> None:
    task = made(found, name)
    part, asked = task.data.examples["test"], np.array([5, 0, 9, 20])
    records = task.examine("test", asked)
    for row, record in zip(asked, records, strict=True):
        history = part.take(np.array([row])).values.tolist()
        assert record["rank"] == brute_rank(task, history, int(part.targets[row]))
        assert record["user"] == part.users[row] and len(record["others"]) == 20


@both
@pytest.mark.parametrize("candidates", [0, 30])
def test_the_rows_that_are_asked_make_no_difference_to_each_answer(
    found: Histories, name: str, candidates: int
) -> None:
    task = made(found, name, candidates=candidates)
    asked = np.array([5, 30, 7, 0])
    together = task.examine("valid", asked)
    for row, record in zip(asked, together, strict=True):
        alone = task.examine("valid", np.array([row]))[0]
        assert alone["rank"] == record["rank"]
        np.testing.assert_allclose(alone["others"], record["others"], rtol=1e-5, atol=1e-6)
        assert alone["nll"] == pytest.approx(record["nll"], rel=1e-5)
    assert task.examine("valid", asked[:0]) == []


def test_a_model_that_knows_nothing_is_not_praised_for_ties(found: Histories) -> None:
    for candidates in (0, 30):
        task = made(found, candidates=candidates)
        for weight in task.model.parameters():
            weight.data.zero_()
        every = np.arange(task.size("test"))
        scores = task.score("test", task.examine("test", every))
        assert scores["ndcg"] == scores["hit_rate"] == 0.0
        assert scores["auc"] == scores["gauc"] == 0.5
        assert scores["loss"] == pytest.approx(np.log(2), rel=1e-6)


def test_a_model_without_numbers_is_not_praised_either(found: Histories) -> None:
    task = made(found)
    task.model.output.bias.data.fill_(float("nan"))
    assert task.score("test", task.examine("test", np.arange(9)))["hit_rate"] == 0.0


def test_an_item_that_is_not_known_is_a_miss_and_counts_in_nothing_else(found: Histories) -> None:
    further = histories(
        [("eve", "jazz-01", "", ""), ("eve", "new", "", ""), ("joe", "tea-01", "", "")],
        catalogue=found.catalogue,
    )
    asked = made(found, examples={"test": last_items(further)})
    records = asked.examine("test", np.arange(2))
    assert [record["rank"] is None for record in records] == [True, False]
    scores = asked.score("test", records)
    assert all(np.isfinite(value) for value in scores.values())
    assert asked.score("test", records[:1]) == {"ndcg": 0.0, "hit_rate": 0.0, "unknown": 1.0}
    assert scores["unknown"] == 0.5 and "unknown" not in asked.score("test", records[1:])


def test_more_than_ten_thousand_items_are_ranked_by_samples() -> None:
    catalogue = Catalogue.build({str(n): 1 for n in range(10_001)})
    many = Histories((), catalogue, Ragged.of([]))
    for candidates, ranked in ((None, 100), (0, 0), (7, 7)):
        task = made(many, "youtube_dnn", examples={}, candidates=candidates)
        assert task.candidates == ranked


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"candidates": 1}, "candidates must be 0, for all items, or at least 2, got 1"),
        ({"candidates": -1}, "candidates must be at least 0"),
        ({"loss": {"kind": "binary", "negatives": 0}}, "negatives must be at least 1"),
        ({"loss": "binary(samples=9)"}, "there is no samples in binary"),
        ({"loss": "sampled_softmax(negatives=2)"}, "there is no negatives in sampled_softmax"),
        ({"loss": "hinge"}, "there is no loss 'hinge'"),
        ({"top_k": 0}, "top_k must be at least 1"),
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(named: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RecommendSettings.from_entries(named)


def test_one_item_is_nothing_to_choose_from() -> None:
    with pytest.raises(ValueError, match="two items to choose from, there are 1"):
        made(histories([("ann", "tea", "", "")]))


@both
def test_the_answer_is_the_best_items_that_the_history_does_not_hold(
    found: Histories, name: str
) -> None:
    task = made(found, name)
    (answer,) = task.predictor.predict([["jazz-01", "tea-02", "jazz-01"]])
    assert answer.inputs == ("jazz-01", "tea-02", "jazz-01")
    assert answer.text == "jazz-01, tea-02, jazz-01"
    assert answer.outputs == tuple(item for item, _ in answer.answers) and len(answer.answers) == 5
    assert not {"jazz-01", "tea-02"} & set(answer.outputs)
    scores = [score for _, score in answer.answers]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    history = found.catalogue.encode(answer.inputs)
    ranks = [brute_rank(task, history, found.catalogue.encode([i])[0]) for i in answer.outputs]
    assert ranks == [1, 2, 3, 4, 5]
    assert answer.weights is not None and answer.weights.shape == (5, 3)
    torch.testing.assert_close(answer.weights.sum(1), torch.ones(5))
    assert len(task.predictor.predict([["jazz-01"]], num_answers=7)[0].answers) == 7


@both
def test_unknown_items_are_named_and_left_out_and_no_history_is_an_answer(
    found: Histories, name: str
) -> None:
    predictor = made(found, name).predictor
    texts = ("wine-01 nothing <pad> wine-01", "wine-01 wine-01", "", "nothing")
    answers = predictor.predict([predictor.parse(text) for text in texts])
    assert answers[0].unknown == ("<pad>", "nothing") and answers[1].unknown == ()
    assert answers[0].answers == answers[1].answers
    assert answers[2].answers == answers[3].answers and answers[2].weights is None
    assert all(np.isfinite(score) for _, score in answers[2].answers)


def test_a_history_of_everything_is_refused() -> None:
    found = histories([("ann", item, "", "") for item in "abcab"])
    predictor = made(found).predictor
    assert len(predictor.predict([["a", "b"]])[0].answers) == 1
    with pytest.raises(ValueError, match="'a, b, c' holds every item; nothing is left"):
        predictor.predict([["a", "b", "c"]])


@pytest.mark.parametrize("names", [["tea", "green tea"], ["a, b", "c"], [], ["one"]], ids=str)
def test_names_written_as_a_text_are_read_again(names: list[str]) -> None:
    assert Recommender.parse(as_text(names)) == names


def test_what_is_shown_are_histories_and_what_came_next(found: Histories) -> None:
    task = made(found)
    names, wanted = task.fixed[0]
    sequence = found.catalogue.decode(next(iter(found.sequences)).tolist())
    assert names == sequence[:-2][-12:] and wanted == sequence[-2]


@both
def test_a_saved_recommender_answers_as_before(found: Histories, name: str, tmp_path: Path) -> None:
    predictor = made(found, name).predictor
    predictor.save(tmp_path)
    about = read_about(tmp_path)
    assert about == {"task": "recommend", "longest": 12, "top_k": 5, "loss": None}
    assert Catalogue.load(tmp_path / CATALOGUE).items == predictor.coder.catalogue.items
    again = Recommender.load(tmp_path, about)
    one, other = (each.predict([["jazz-01", "tea-02"]])[0] for each in (predictor, again))
    assert one.answers == other.answers and torch.equal(one.weights, other.weights)


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
    none = np.zeros(0, dtype=np.int64)
    task = made(found, examples={"test": Prefixes(none, none, none, none, none)})
    assert task.size("test") == 0 and task.size("other") == 0
    assert task.examine("test", none) == []


def test_a_ranking_counts_as_far_down_as_items_are_recommended(found: Histories) -> None:
    task = made(found)
    record = {"user": 1, "nll": 1.0, "own": 0.0, "others": [1.0]}
    records = [record | {"rank": rank} for rank in (5, 6)]
    assert task.score("test", records)["hit_rate"] == 0.5
    assert task.score("test", records)["ndcg"] == pytest.approx(1 / np.log2(6) / 2)


@pytest.mark.parametrize("count", [3, 20])
def test_so_many_items_are_drawn_for_the_area(found: Histories, count: int) -> None:
    for candidates in (0, 30):
        task = made(found, impressions=count, candidates=candidates)
        assert [len(r["others"]) for r in task.examine("test", np.arange(4))] == [count] * 4


def test_the_cost_of_clicks_is_that_of_the_first_candidate_and_of_no_other() -> None:
    scores = torch.randn(4, 3)
    p = torch.sigmoid(scores)
    wanted = -(p[:, 0].log() + (1 - p[:, 1:]).log().sum(1))
    history, candidate = Sequences(torch.full((4, 1), 2)), torch.zeros(4, 3, dtype=torch.long)
    nll = BinaryCrossEntropy().nll(lambda *_: scores, history, candidate, 2)
    torch.testing.assert_close(nll, wanted)


def test_at_rest_the_cost_of_a_softmax_is_that_of_all_items(found: Histories) -> None:
    task = made(found, "youtube_dnn")
    batch = task.part(0).batch(np.arange(5))
    assert batch.candidate.shape == (5, 1) and batch.num_targets == 5
    products = task.model.user(batch.history) @ task.model.item_vectors.T
    target = batch.candidate[:, 0]
    scores = products[:, 2:].double().log_softmax(-1)
    wanted = -scores[torch.arange(5), target - 2].sum()
    assert task.loss(batch).item() == pytest.approx(wanted.item(), rel=1e-5)
    task.model.train()
    drawn = {round(task.loss(batch).item(), 6) for _ in range(3)}
    assert len(drawn) == 3


class Popular(nn.Module):
    """Every item by a number of its own, whoever asks."""

    def __init__(self, items: int, **_: Any) -> None:
        super().__init__()
        self.liked = nn.Embedding(items, 1)

    def forward(self, history: Sequences, candidate: Tensor) -> Tensor:
        return self.liked(candidate).squeeze(-1)


def test_any_network_that_scores_items_is_trained_evaluated_and_asked(found: Histories) -> None:
    coder = ItemCoder(found.catalogue)
    task = Recommend(Encoded(coder, leave_one_out(found), {}), Popular)
    assert task.trained_by == BinaryCrossEntropy()
    task.loss(task.part(0).batch(np.arange(5))).backward()
    assert task.model.liked.weight.grad.any()
    scores = task.score("test", task.examine("test", np.arange(9)))
    assert {"ndcg", "hit_rate", "loss", "auc", "gauc"} == scores.keys()
    (answer,) = task.predictor.predict([["jazz-01"]])
    assert answer.weights is None and len(answer.answers) == 10


def test_what_a_network_cannot_be_trained_by_is_refused_by_name(found: Histories) -> None:
    with pytest.raises(ValueError, match="loss=sampled_softmax needs .* which DIN does not have"):
        made(found, loss=SampledSoftmax())
    data = Encoded(ItemCoder(found.catalogue), leave_one_out(found), {})
    with pytest.raises(ValueError, match="l2 is 0.1, but Popular has no `item_table`"):
        Recommend(data, Popular, RecommendSettings(l2=0.1))


def test_two_towers_may_learn_by_clicks_and_then_say_how_likely_a_click_is(
    found: Histories, tmp_path: Path
) -> None:
    usual = made(found, "youtube_dnn")
    task = made(found, "youtube_dnn", loss=BinaryCrossEntropy(negatives=2))
    assert usual.trained_by == SampledSoftmax() and task.trained_by.negatives == 2
    batch = task.part(0).batch(np.arange(5))
    assert batch.candidate.shape == (5, 3)
    scores = torch.sigmoid(task.model(batch.history, batch.candidate))
    wanted = -(scores[:, 0].log() + (1 - scores[:, 1:]).log().sum(1)).sum()
    torch.testing.assert_close(task.loss(batch), wanted)
    task.predictor.save(tmp_path)
    again = Recommender.load(tmp_path, json.loads((tmp_path / "task.json").read_text()))
    answers, same, others = (
        each.predict([["jazz-01"]])[0].answers for each in (task.predictor, again, usual.predictor)
    )
    assert answers == same and [n for n, _ in answers] == [n for n, _ in others]
    history = Sequences(torch.tensor([found.catalogue.encode(["jazz-01"])]))
    best = torch.tensor([found.catalogue.encode([answers[0][0]])])
    chance = torch.sigmoid(task.model(history, best)).log().item()
    assert answers[0][1] == pytest.approx(chance, rel=1e-5) and chance > others[0][1]


@both
def test_a_loss_that_is_named_is_the_one_that_suits(found: Histories, name: str) -> None:
    usual = made(found, name)
    assert made(found, name, loss=usual.trained_by).trained_by == usual.trained_by
    assert loss_for(usual.model) == usual.trained_by


@both
def test_the_network_is_told_the_features_of_the_items(name: str) -> None:
    rows = [("ann", item, "", "", kind) for item, kind in zip("abcde", "xyxyx", strict=True)]
    task = made(histories(rows), name)
    assert task.model.config.feature_columns == 1 and task.model.config.values == 3
    assert task.model.embedding.features.tolist() == task.coder.catalogue.features.tolist()
    assert task.model.embedding.features.any()


def split_of(rows: list[tuple[str, ...]]) -> Any:
    """Interactions as the reading of data gives them."""
    names = ("user", "item", "rating", "timestamp")
    columns = zip(*rows, strict=True)
    return extra("datasets").Dataset.from_dict(
        {name: list(cells) for name, cells in zip(names, columns, strict=True)}
    )


def test_parts_that_leave_one_out_are_the_examples_of_the_whole() -> None:
    rows = [row for row in interaction_rows("train", 300, 0)]
    by_user: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        by_user.setdefault(row[0], []).append(row)
    parts: dict[str, list[tuple[str, ...]]] = {"train": [], "valid": [], "test": []}
    for mine in by_user.values():
        long = len(mine) >= 3
        parts["train"] += mine[:-2] if long else mine
        parts["valid"] += mine[-2:-1] if long else []
        parts["test"] += mine[-1:] if long else []
    catalogue = histories_in(split_of(rows)).catalogue
    whole = held_out_examples({"train": split_of(rows)}, catalogue)
    # In whatever order the parts come: a test goes on from what was validated.
    splits = {split: split_of(parts[split]) for split in ("test", "train", "valid")}
    cut = held_out_examples(splits, catalogue)
    for split, examples in whole.items():
        every = np.arange(len(examples))
        assert len(examples) and cut[split].targets.tolist() == examples.targets.tolist()
        one, other = (part.take(every) for part in (cut[split], examples))
        assert [row.tolist() for row in one] == [row.tolist() for row in other]


def test_the_penalty_is_of_the_items_that_occur_each_once_by_its_frequency() -> None:
    table = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    counts = torch.tensor([9.0, 9.0, 4.0, 0.0, 2.0, 1.0], dtype=torch.float64)
    rows = table.detach().numpy()
    wanted = 0.5 * sum((rows[j] ** 2).sum() / n for j, n in ((2, 4), (3, 1), (4, 2)))
    penalty = occurring_l2(table, torch.tensor([2, 2, 3, 4, 2]), counts)
    assert penalty.item() == pytest.approx(wanted, rel=1e-12)
    penalty.backward()
    gradient = table.grad
    assert gradient is not None and not gradient[[0, 1, 5]].any()
    torch.testing.assert_close(gradient[2], table.detach()[2] / 4)
