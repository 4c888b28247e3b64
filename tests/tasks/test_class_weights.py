"""Class weights: what rare labels cost, in which forms they are said, and what one answer means."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import regard
from regard.config import fields_of
from regard.errors import UsageError
from regard.run.training import Options
from regard.tasks.classify import ClassifySettings
from regard.tasks.classify.class_weights import ClassWeights, label_weights
from regard.tasks.classify.metrics import balanced_accuracy, one_class_only
from tests.tasks.labels import labelling, matching

Make = Callable[..., Any]
every_task = pytest.mark.parametrize("make", [labelling, matching])
QUIET = Options(progress=False)


def logits_of(task: Any, batch: Any) -> np.ndarray:
    sides = (batch.source,) if task.name == "classify" else (batch.left, batch.right)
    return task.model(*sides).detach().numpy()


@every_task
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_weighted_loss_is_the_sum_of_weights_times_costs(
    make: Make, smoothing: float, tmp_path: Path
) -> None:
    task = make(tmp_path, class_weights="balanced", smoothing=smoothing)
    task.model.double().eval()
    batch = task.part(0).batch(np.arange(11))
    logits, labels = logits_of(task, batch), batch.label.numpy()
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    costs = -(1 - smoothing) * logs[np.arange(11), labels] - smoothing * logs.mean(1)
    counts = np.bincount(task.data.examples["train"].labels)
    weights = counts.sum() / (len(counts) * counts)
    assert counts[0] != counts[1]
    # The logits are in double precision, the loss of them in single.
    assert task.loss(batch).item() == pytest.approx((weights[labels] * costs).sum(), rel=2e-6)


@every_task
def test_the_gradient_of_an_update_does_not_depend_on_its_micro_batches(
    make: Make, tmp_path: Path
) -> None:
    task = make(tmp_path, class_weights="balanced")
    task.model.double().eval()
    gradients = []
    for parts in ([range(12)], [range(5), range(5, 6), range(6, 12)]):
        batches = [task.part(0).batch(np.array(part)) for part in parts]
        targets = sum(batch.num_targets for batch in batches)
        task.model.zero_grad()
        for batch in batches:
            (task.loss(batch) / targets).backward()
        gradients.append([p.grad.clone() for p in task.model.parameters() if p.grad is not None])
    assert gradients[0]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-9)


@every_task
def test_without_weights_nothing_changes(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path)
    batch = task.part(0).batch(np.arange(9))
    task.model.eval()
    before = task.loss(batch).item()
    task.weights = torch.ones(2)
    assert task.loss(batch).item() == pytest.approx(before)
    assert make(tmp_path / "more").weights is None and task.metric == "accuracy"


@every_task
def test_an_example_without_a_label_has_no_weight(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path, class_weights="balanced")
    task.model.eval()
    one = task.loss(task.part(0).batch(np.array([1])))
    task.data.examples["train"].labels[0] = -1
    torch.testing.assert_close(task.loss(task.part(0).batch(np.array([0, 1]))), one)


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=40).filter(lambda x: max(x) >= 0),
    st.sampled_from([ClassWeights("balanced"), ClassWeights.of("a=2,d=0.5")]),
)
def test_the_mean_weight_of_the_training_examples_is_one(
    labels: list[int], weights: ClassWeights
) -> None:
    numbers = np.array(labels)
    found = label_weights(weights, "abcd", numbers)
    assert found is not None and (found > 0).all()
    assert found[numbers[numbers >= 0]].mean().item() == pytest.approx(1, rel=1e-5)


def test_balanced_labels_weigh_the_same_together_and_given_ones_as_given() -> None:
    numbers = np.array([0] * 8 + [1] * 3 + [2])
    found = label_weights(ClassWeights("balanced"), "abc", numbers)
    assert found is not None
    assert (found.numpy() * np.bincount(numbers)).tolist() == pytest.approx([4, 4, 4])
    found = label_weights(ClassWeights.of({"c": 5}), "abc", numbers)
    assert found is not None
    assert (found / found[0]).tolist() == pytest.approx([1, 1, 5])
    absent = label_weights(ClassWeights("balanced"), "abcd", numbers)
    assert absent is not None and absent[3] == absent[2]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("none", "none"),
        ("balanced", "balanced"),
        ("no=1, yes = 20", {"no": 1.0, "yes": 20.0}),
        ("a=b=3", {"a=b": 3.0}),
        ({"not so": 2}, {"not so": 2.0}),
    ],
)
def test_weights_are_said_in_a_word_as_text_or_as_a_table(given: Any, plain: Any) -> None:
    settings = ClassifySettings.from_entries({"class_weights": given})
    entries = settings.to_entries()
    assert entries["class_weights"] == plain and json.loads(json.dumps(entries)) == entries
    assert ClassifySettings.from_entries(entries) == settings
    assert "class_weights" in fields_of(ClassifySettings)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("balance", "balanced, or a number for each label, such as ham=1,spam=20; got 'balance'"),
        ("yes", "got 'yes'"),
        ("yes=many", "got 'many' for 'yes'"),
        ({"yes": -1}, "got -1 for 'yes', which is no weight"),
        ({"yes": float("nan")}, "got nan for 'yes'"),
        ({"yes": "1e999"}, "got inf for 'yes'"),
        ({"yes": True}, "got True for 'yes'"),
        ({"yes": 0, "no": 0}, "all that are given are 0"),
        ({}, "got {}"),
        ([1, 20], r"got \[1, 20\]"),
        (7, "got 7"),
    ],
)
def test_what_is_no_weight_is_refused_with_the_forms_there_are(given: Any, why: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^class_weights must be none, .*{why}"):
        ClassifySettings.from_entries({"class_weights": given})


@every_task
def test_a_weight_of_a_label_that_is_not_there_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="class_weights has the label 'wiht', which the data has"):
        make(tmp_path, class_weights="wiht=3")
    with pytest.raises(ValueError, match="gives 0 to every label of the training examples"):
        label_weights(ClassWeights.of("b=1,a=0"), "ab", np.array([0, 0]))


def written(folder: Path, rare: int, common: int) -> Path:
    """Rare rows that have an `x`, which common ones have half of the time."""
    folder.mkdir(exist_ok=True)
    rows = [f"ab x {'yz'[n % 2]} {n % 7}d,spam" for n in range(rare)]
    rows += [f"{'ab x' if n % 4 == 0 else 'ab'} {'yz'[n % 2]} {n % 7}d,ham" for n in range(common)]
    for split, share in (("train", rows), ("valid", rows[::3]), ("test", rows[::3])):
        (folder / f"{split}.csv").write_text("text,label\n" + "\n".join(share) + "\n")
    return folder


def test_what_is_rare_is_found_when_it_counts_as_much_and_the_best_is_chosen_by_that(
    tmp_path: Path,
) -> None:
    data = written(tmp_path / "data", rare=9, common=291)
    small: dict[str, Any] = {"recipe": "dan", "epochs": 6, "batch": 60, "lr": 0.02, "layers": 1}
    small |= {"dropout": 0.0, "word_dropout": 0.0, "embed_dim": 16, "hidden_dim": 16}
    small |= {"options": QUIET}
    plain = regard.train(data, out=tmp_path / "plain", **small)
    run = regard.train(data, out=tmp_path / "run", class_weights="balanced", **small)
    scores = run.evaluate()
    assert plain.evaluate()["balanced_accuracy"] == 0.5
    assert scores["balanced_accuracy"] > 0.8
    best = run.metrics["valid"]["balanced_accuracy"]
    logged = [line["balanced_accuracy"] for line in run.history if line["kind"] == "valid"]
    assert best == max(logged)
    weighted = regard.train(data, out=tmp_path / "run", resume=tmp_path / "run", options=QUIET)
    task: Any = weighted.settings.task
    assert task.class_weights == ClassWeights("balanced")


def test_a_run_with_a_table_of_weights_goes_on(tmp_path: Path) -> None:
    data = written(tmp_path / "data", rare=9, common=30)
    small: dict[str, Any] = {"embed_dim": 4, "hidden_dim": 4, "options": QUIET, "steps": 2}
    small |= {"recipe": "dan", "class_weights": {"spam": 3}}
    run = regard.train(data, out=tmp_path / "run", **small)
    assert "class_weights = {spam = 3.0}" in (run.path / "config.toml").read_text()
    before = len(run.history)
    assert len(run.resume(steps=4, options=QUIET).history) > before
    with pytest.raises(UsageError, match="the label 'spma', which the data has not: did you mean"):
        regard.train(data, out=tmp_path / "no", **{**small, "class_weights": "spma=3"})
    assert not (tmp_path / "no").exists()


def test_balanced_accuracy_is_the_mean_recall_of_the_labels_that_are_there() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        answers, targets = rng.integers(0, 4, 15), rng.integers(0, 3, 15)
        recalls = []
        for label in sorted(set(targets.tolist())):
            there = [a for a, t in zip(answers, targets, strict=True) if t == label]
            recalls.append(sum(a == label for a in there) / len(there))
        assert balanced_accuracy(answers, targets) == pytest.approx(np.mean(recalls))


def records_of(answers: list[int], targets: list[int]) -> list[dict[str, Any]]:
    return [{"answer": a, "target": t} for a, t in zip(answers, targets, strict=True)]


def test_one_answer_to_everything_is_said_with_what_may_help() -> None:
    rare = records_of([0] * 50, [0] * 49 + [1])
    said = one_class_only(rare, ("ham", "spam"))
    assert said == (
        "every answer is 'ham' (98.0 % of the validation data are); "
        "try --set class_weights=balanced"
    )
    weighted = one_class_only(rare, ("ham", "spam"), "test", weighted=True)
    assert weighted is not None and weighted.endswith("test data are); train longer, or with an"
                                                      "other --lr")  # fmt: skip
    even = one_class_only(records_of([1] * 4, [0, 1, 0, 1]), ("a", "b"))
    assert even is not None and even.endswith("(50.0 % of the validation data are); train longer, "
                                              "or with another --lr")  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "targets"),
    [([0, 1], [0, 1]), ([0, 0], [0, 0]), ([0, 0], [0, -1]), ([], []), ([0, 0], [-1, -1])],
    ids=["two answers", "one label", "one that is known", "nothing", "no label"],
)
def test_nothing_is_said_where_there_is_nothing_to_say(
    answers: list[int], targets: list[int]
) -> None:
    assert one_class_only(records_of(answers, targets), ("a", "b")) is None


@every_task
def test_a_task_remarks_it_of_the_split_that_was_evaluated(make: Make, tmp_path: Path) -> None:
    task = make(tmp_path)
    task.model.eval()
    records = task.examine("valid", np.arange(task.size("valid")))
    for record in records:
        record["answer"] = 0
    (said,) = task.remarks("valid", records)
    assert f"every answer is {task.coder.labels[0]!r} (" in said and "validation data" in said
    records[0]["answer"] = 1
    assert task.remarks("valid", records) == []
