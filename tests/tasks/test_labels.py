"""Tasks of labels: what they learn, what they record, and what an unknown label may not do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from regard.data.feeding.streamed import Streamed
from regard.sequences import Sequences
from regard.tasks.exchange import read_about
from regard.tasks.predictor import Predictor
from regard.tasks.task import Task
from tests.tasks.labels import LABELS, labelling, matching, pairs
from tests.tasks.rows import learn, splits_of_words, table

Make = Callable[..., Any]
every_task = pytest.mark.parametrize("make", [labelling, matching])
INPUTS: dict[str, Any] = {
    "classify": ["bc", "eeea", "d"],
    "match": [("ab", "ab"), ("e", "cd"), ("abc", "a")],
}


def logits_of(task: Any, batch: Any) -> torch.Tensor:
    """What the network says of a batch."""
    sides = (batch.source,) if task.name == "classify" else (batch.left, batch.right)
    return task.model(*sides)


class Bags(nn.Module):
    """A network of anybody's: no configuration, no attention."""

    def __init__(self, vocab: int, classes: int, **_: Any) -> None:
        super().__init__()
        self.words, self.output = nn.Embedding(vocab, 8), nn.Linear(8, classes)

    def forward(self, *sides: Sequences) -> torch.Tensor:
        means = torch.stack([side.mean(self.words(side.ids)) for side in sides])
        return self.output(means.prod(0))


@every_task
def test_a_network_of_ones_own_is_trained_and_asked_too(make: Make, tmp_path: Path) -> None:
    vocab = make(tmp_path).coder.sizes["vocab"]
    task = make(tmp_path / "own", model=Bags(vocab, classes=2))
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)
    before = task.loss(task.part(0).batch(np.arange(60)))
    learn(task, 30)
    assert task.loss(task.part(0).batch(np.arange(60))) < before
    (answer, *_) = task.predictor.predict(INPUTS[task.name], num_answers=2)
    assert len(answer.answers) == 2 and answer.weights is None and answer.inputs


@every_task
def test_a_network_can_be_made_from_what_the_data_decides(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path)
    same = type(task)(task.data, lambda vocab, classes, **_: Bags(vocab, classes), task.settings)
    assert same.model.words.num_embeddings == task.coder.sizes["vocab"]
    assert same.loss(same.batch("train", np.arange(2))).isfinite()


@every_task
def test_every_example_of_an_epoch_is_planned_once_in_batches_of_the_size(
    make: Make, tmp_path: Path
) -> None:
    task = make(tmp_path)
    part = task.part(0)
    plan = task.plan(part.lengths, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(plan)), np.arange(60))
    assert all(part.batch(rows).num_padded_tokens <= 80 for rows in plan)
    assert task.size("valid") > 0 and task.size("nothing") == 0


@every_task
def test_a_score_does_not_depend_on_the_order_or_the_processes_that_examine(
    make: Make, tmp_path: Path
) -> None:
    task = make(tmp_path)
    task.model.double().eval()
    rows = np.arange(task.size("valid"))
    whole = task.score("valid", task.examine("valid", rows))
    merged: dict[int, dict[str, Any]] = {}
    for rank in (2, 0, 1):
        share = rows[rank::3][::-1]
        merged.update(zip(share.tolist(), task.examine("valid", share), strict=True))
    again = task.score("valid", [merged[row] for row in rows.tolist()])
    assert {"loss", "accuracy", "f1"} <= set(whole) and task.metric in whole
    assert again == pytest.approx(whole, rel=1e-6)
    assert task.examine("valid", rows[:0]) == []


@every_task
def test_records_are_what_the_network_says_and_the_loss_sums(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path)
    task.model.eval()
    batch, rows = task.part(0).batch(np.arange(9)), np.arange(9)
    scores = log_softmax(logits_of(task, batch), -1)
    records = task.examine("train", rows)
    assert [r["target"] for r in records] == batch.label.tolist()
    assert [r["answer"] for r in records] == scores.argmax(-1).tolist()
    wanted = -scores.gather(1, batch.label[:, None])[:, 0]
    assert [r["nll"] for r in records] == pytest.approx(wanted.tolist(), rel=1e-4)
    assert task.loss(batch).item() == pytest.approx(wanted.sum().item(), rel=1e-5)


@every_task
def test_smoothing_spreads_a_share_over_all_labels(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path, smoothing=0.2)
    task.model.eval()
    batch = task.part(0).batch(np.arange(9))
    scores = log_softmax(logits_of(task, batch), -1)
    chosen = scores.gather(1, batch.label[:, None]).sum()
    torch.testing.assert_close(task.loss(batch), -0.8 * chosen - 0.1 * scores.sum())


@every_task
def test_an_example_without_a_label_neither_teaches_nor_counts(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path)
    task.model.eval()
    before = task.loss(task.part(0).batch(np.array([1])))
    for split in ("train", "valid"):
        task.data.examples[split].labels[0] = -1
    batch = task.part(0).batch(np.array([0, 1]))
    assert batch.num_targets == 1
    torch.testing.assert_close(task.loss(batch), before)
    assert task.loss(task.part(0).batch(np.array([0]))).item() == 0
    records = task.examine("valid", np.arange(task.size("valid")))
    assert task.score("valid", records) == task.score("valid", records[1:])
    assert task.score("valid", records[:1]) == {
        "loss": 0.0,
        "accuracy": 0.0,
        "balanced_accuracy": 0.0,
        "f1": 0.0,
    }


@every_task
def test_a_label_outside_the_set_is_refused_by_its_name(make: Make, tmp_path: Path) -> None:
    coder = make(tmp_path).coder
    rows = table(text=["ab"], left=["ab"], right=["b"], label=["perhaps"])
    with pytest.raises(ValueError, match="'perhaps' is not among the 2 that are known: "):
        coder.encode({"train": rows}, tmp_path / "foreign")


@every_task
def test_a_network_of_other_data_is_refused(make: Make, tmp_path: Path) -> None:
    predictor = make(tmp_path).predictor
    folder = tmp_path / "best"
    folder.mkdir()
    predictor.save(folder)
    about = read_about(folder)
    with pytest.raises(ValueError, match=r"its network has max_length \d, its files say 9"):
        type(predictor).load(folder, {**about, "longest": 9})


@every_task
def test_inputs_are_answered_each_for_itself(make: Make, tmp_path: Path) -> None:
    predictor = make(tmp_path).predictor
    predictor.model.eval()
    inputs = INPUTS[predictor.task]
    together = predictor.predict(inputs)
    for given, answer in zip(inputs, together, strict=True):
        (alone,) = predictor.predict([given])
        assert alone.answers == answer.answers
        rows = answer.weights.sum(-1)
        torch.testing.assert_close(rows, torch.ones_like(rows))
        assert answer.weights.shape == (len(answer.outputs), len(answer.inputs))
    assert predictor.predict([]) == []


def test_texts_can_be_learned_from_a_stream(tmp_path: Path) -> None:
    task = labelling(tmp_path)
    texts = splits_of_words(60, 1, 4)["train"]
    label = ["with" if "a" in text else "without" for text in texts]
    learned_alike(task, table(text=texts, label=label))


def test_pairs_can_be_learned_from_a_stream(tmp_path: Path) -> None:
    learned_alike(matching(tmp_path), table(**pairs(60)))


def learned_alike(task: Any, rows: Any) -> None:
    """Fail unless the first rows of a stream cost what they cost in memory."""
    wanted = task.loss(task.part(0).batch(np.arange(4)))
    task.stream = Streamed(rows.to_iterable_dataset(), 10, task.stream_part)
    part = task.part(0)
    assert len(part.lengths) == 10
    torch.testing.assert_close(task.loss(part.batch(np.arange(4))), wanted)


def test_the_fixed_examples_are_inputs_with_their_labels(tmp_path: Path) -> None:
    task = matching(tmp_path, fixed=2)
    rows = pairs(25, seed=1)
    wanted = [((rows["left"][n], rows["right"][n]), rows["label"][n]) for n in (0, 1)]
    assert task.fixed == wanted and set(rows["label"]) == set(LABELS)
    assert len(labelling(tmp_path / "texts").fixed) == 4
    for each in (task, labelling(tmp_path / "more")):
        assert each.predictor.predict([given for given, _ in each.fixed])
