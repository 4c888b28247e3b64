"""Matching: pairs of sentences, their loss and metrics, and what is said to pairs that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from regard.data.encoding.examples import encode
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.feeding.streamed import Streamed
from regard.models.abcnn import ABCNN, ABCNNConfig, load
from regard.tasks.classify import load_labels
from regard.tasks.exchange import read_about
from regard.tasks.match import Match, ranking
from regard.tasks.matcher import Matcher
from regard.tasks.task import Predictor, Task, as_sample
from tests.tasks.small import learn, table, words

LABELS = ("no", "yes")


def columns(count: int, seed: int = 0) -> dict[str, list[str]]:
    """Words beside themselves or beside another word of other letters, five for each left one."""
    lefts = [word for word in words(count // 5, 1, 4, seed) for _ in range(5)]
    turned = str.maketrans("abcde", "bcdea")
    same = [number % 5 < 2 for number in range(len(lefts))]
    rights = [w if yes else w.translate(turned) for w, yes in zip(lefts, same, strict=True)]
    return {"left": lefts, "right": rights, "label": [LABELS[yes] for yes in same]}


def matching(folder: Path, count: int = 60, **named: Any) -> Match:
    """Say whether two words are the same."""
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(["abcde"], "characters")
    sizes = {"embed_dim": 6, "hidden_dim": 5, "layers": 1, "width": 2, "max_length": 6}
    model = ABCNN(ABCNNConfig(vocab=len(tokenizer), classes=2, similarity="both", **sizes))
    predictor = Matcher(model, tokenizer, LABELS, longest=6, about={"model": "abcnn"})
    readers: dict[str, Any] = {"left": tokenizer, "right": tokenizer, "label": LABELS}
    splits = {"train": table(**columns(count)), "valid": table(**columns(25, seed=1))}
    examples = {split: encode(rows, readers, folder / split) for split, rows in splits.items()}
    return Match(predictor, examples, splits, **{"batch_tokens": 80} | named)


def test_it_is_a_task_that_is_learned(tmp_path: Path) -> None:
    task = matching(tmp_path)
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)
    assert task.size("valid") == 25 and task.size("test") == 0
    learn(task, 150, rate=0.02)
    scores = task.score("train", task.examine("train", np.arange(60)))
    assert scores["accuracy"] >= 0.9 and scores["f1"] >= 0.9 and scores["map"] >= 0.9


def test_the_loss_of_a_batch_is_the_sum_over_its_pairs_one_by_one(tmp_path: Path) -> None:
    task = matching(tmp_path)
    task.predictor.model.double()
    part, rows = task.part(0), np.array([3, 0, 27, 15])
    together = task.loss(part.batch(rows))
    alone = [task.loss(part.batch(row)) for row in rows[:, None]]
    torch.testing.assert_close(together, torch.stack(alone).sum(), rtol=1e-6, atol=1e-6)
    batches = [part.batch(row) for row in rows[:, None]]
    assert part.batch(rows).labels == 4
    assert part.batch(rows).tokens == sum(batch.tokens for batch in batches)
    assert part.batch(rows).cells >= part.batch(rows).tokens


def test_every_pair_of_an_epoch_is_planned_once_and_batches_keep_their_size(tmp_path: Path) -> None:
    task = matching(tmp_path)
    part = task.part(0)
    plan = task.plan(part.lengths, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(plan)), np.arange(60))
    assert all(part.batch(rows).cells <= 80 for rows in plan)


def test_a_score_does_not_depend_on_the_order_or_the_processes_that_examine(tmp_path: Path) -> None:
    task = matching(tmp_path)
    task.predictor.model.double().eval()
    rows = np.arange(25)
    whole = task.score("valid", task.examine("valid", rows))
    merged: dict[int, dict[str, Any]] = {}
    for rank in (2, 0, 1):
        share = rows[rank::3][::-1]
        merged.update(zip(share.tolist(), task.examine("valid", share), strict=True))
    again = task.score("valid", [merged[row] for row in rows.tolist()])
    assert set(whole) == {"loss", "accuracy", "f1", "map", "mrr"}
    assert again == pytest.approx(whole, rel=1e-6)
    assert task.examine("valid", rows[:0]) == []


def test_records_are_what_the_model_says(tmp_path: Path) -> None:
    task = matching(tmp_path)
    task.predictor.model.eval()
    batch, rows = task.part(0).batch(np.arange(9)), np.arange(9)
    scores = log_softmax(task.predictor.model(*batch.sides), -1)
    records = task.examine("train", rows)
    assert [r["answer"] for r in records] == scores.argmax(-1).tolist()
    wanted = -scores.gather(1, batch.label[:, None])[:, 0]
    assert [r["nats"] for r in records] == pytest.approx(wanted.tolist(), rel=1e-5)
    assert [r["match"] for r in records] == pytest.approx((scores[:, 1] - scores[:, 0]).tolist())
    assert [r["group"] == records[0]["group"] for r in records] == [True] * 5 + [False] * 4


def test_smoothing_spreads_a_share_over_all_labels(tmp_path: Path) -> None:
    task = matching(tmp_path, smoothing=0.2)
    batch = task.part(0).batch(np.arange(9))
    scores = log_softmax(task.predictor.model(*batch.sides), -1)
    chosen = scores.gather(1, batch.label[:, None]).sum()
    torch.testing.assert_close(task.loss(batch), -0.8 * chosen - 0.1 * scores.sum())


def test_a_pair_without_a_known_label_neither_teaches_nor_counts(tmp_path: Path) -> None:
    task = matching(tmp_path)
    before = task.loss(task.part(0).batch(np.array([1])))
    for split in ("train", "valid"):
        task.examples[split].labels[0] = -1
    batch = task.part(0).batch(np.array([0, 1]))
    assert batch.labels == 1
    torch.testing.assert_close(task.loss(batch), before)
    records = task.examine("valid", np.arange(25))
    assert task.score("valid", records) == task.score("valid", records[1:])
    assert task.score("valid", records[:1]) == {"loss": 0.0, "accuracy": 0.0, "f1": 0.0}


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
    records = [{"wanted": 1, "answer": 2, "nats": 0.5}, {"wanted": 1, "answer": 1, "nats": 0.25}]
    assert set(task.score("valid", records)) == {"loss", "accuracy", "f1"}


def test_a_predictor_comes_back_the_same_and_shows_where_it_looked(tmp_path: Path) -> None:
    task = matching(tmp_path)
    predictor = task.predictor
    predictor.model.eval()
    folder = tmp_path / "best"
    folder.mkdir()
    predictor.save(folder)
    about = read_about(folder)
    assert about == {"task": "match", "longest": 6, "model": "abcnn"}
    found = Matcher(
        load(folder), Tokenizer.load(folder / "tokenizer.json"), load_labels(folder), 6, about
    )
    for beams in (1, 2):
        (mine,), (theirs,) = (
            predictor.predict(["ab\tcba"], beams),
            found.predict(["ab\tcba"], beams),
        )
        assert mine.answers == theirs.answers and len(mine.answers) == beams
        assert torch.equal(mine.weights, theirs.weights)
    assert mine.inputs == ("a", "b") and mine.outputs == ("c", "b", "a")
    torch.testing.assert_close(mine.weights.sum(1), torch.ones(3))
    assert mine.weights.argmax(1).tolist()[1:] == [1, 0]
    assert as_sample(mine, "yes")["input"] == "ab\tcba"


def test_a_long_sentence_is_read_up_to_where_it_was_cut_in_training(tmp_path: Path) -> None:
    predictor = matching(tmp_path).predictor
    predictor.model.eval()
    long, cut = predictor.predict(["bbbbbba\tab", "bbbbbb\tab"])
    assert long.inputs == cut.inputs and long.answers == cut.answers


def test_words_that_were_never_seen_are_named(tmp_path: Path) -> None:
    (answer,) = matching(tmp_path).predictor.predict(["axb\tyab"])
    assert answer.unknown == ("x", "y")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("abc", "text 2 of 2 has 0 tabs; give two sentences with one between them, as in"),
        ("a\tb\tc", "text 2 of 2 has 2 tabs"),
        ("\tab", "the left sentence of pair 2 of 2 is empty"),
        ("ab\t", "the right sentence of pair 2 of 2 is empty"),
    ],
)
def test_what_is_not_two_sentences_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        matching(tmp_path).predictor.predict(["a\tb", text])


def test_data_with_an_empty_side_is_refused_with_the_row(tmp_path: Path) -> None:
    task = matching(tmp_path)
    tokenizer = task.predictor.tokenizer
    readers: dict[str, Any] = {"left": tokenizer, "right": tokenizer, "label": LABELS}
    rows = table(left=["ab", "a", ""], right=["b", "", "b"], label=["no"] * 3)
    examples = {"train": encode(rows, readers, tmp_path / "empty")}
    with pytest.raises(ValueError, match=r"right sentence of row 2 in train is empty \(2 such"):
        Match(task.predictor, examples, {"train": rows})


def test_a_label_outside_the_set_is_refused_by_its_name(tmp_path: Path) -> None:
    task = matching(tmp_path)
    tokenizer = task.predictor.tokenizer
    readers: dict[str, Any] = {"left": tokenizer, "right": tokenizer, "label": LABELS}
    rows = table(left=["ab"], right=["b"], label=["perhaps"])
    with pytest.raises(ValueError, match="'perhaps' is not among the 2 that are known: no, yes"):
        encode(rows, readers, tmp_path / "foreign")


def test_pairs_can_be_learned_from_a_stream(tmp_path: Path) -> None:
    task = matching(tmp_path)
    stream = table(**columns(60)).to_iterable_dataset()
    task.stream = Streamed(stream, 10, lambda rows: task.encoded(rows, 6))
    part = task.part(0)
    assert len(part.lengths) == 10
    torch.testing.assert_close(
        task.loss(part.batch(np.arange(4))),
        task.loss(matching(tmp_path / "again").part(0).batch(np.arange(4))),
    )


def test_the_fixed_examples_are_pairs_with_a_tab_between(tmp_path: Path) -> None:
    task = matching(tmp_path, fixed=2)
    rows = columns(25, seed=1)
    wanted = [(f"{rows['left'][n]}\t{rows['right'][n]}", rows["label"][n]) for n in (0, 1)]
    assert task.fixed == wanted
    assert [a.text for a in task.predictor.predict([text for text, _ in task.fixed])]
