"""The task asks about days that it never shows, and counts what it claims to count."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from regard.data.synthetic.cldr_dates import FORMATS, languages
from regard.data.synthetic.days import NUM_DAYS, day, days_of
from regard.models.search import Hypothesis
from regard.tasks.dates import BATCH_SIZE, COMMON, POOL, Dates, by_language
from regard.tasks.pairs import Pairs
from regard.tasks.task import Predictor, Task


@pytest.fixture(scope="module")
def task() -> Dates:
    return Dates(["en", "fr", "zh"])


def batch(task: Dates, epoch: int = 0, count: int = 64) -> Pairs:
    return task.part(epoch).batch(np.arange(count))


def answers(task: Dates, target: torch.Tensor) -> list[str]:
    return ["".join(task.predictor.target.decode(row[1:-1])) for row in target.tolist()]


def test_it_is_a_task_and_leaves_a_predictor(task: Dates) -> None:
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)


def test_there_are_fifty_common_languages_and_all_are_known() -> None:
    assert len(set(COMMON)) == len(COMMON) == 50
    assert set(COMMON) <= set(languages())


def test_every_target_is_the_iso_name_of_its_day(task: Dates) -> None:
    rows = np.split(task.targets.values, task.targets.offsets[1:-1])
    coder = task.predictor.target
    assert len(rows) == NUM_DAYS
    for number in range(0, NUM_DAYS, 501):
        assert "".join(coder.decode(rows[number].tolist())) == day(number).isoformat()


def test_no_examined_day_is_ever_trained_on(task: Dates) -> None:
    kept = {int(n) for split in ("valid", "test") for n in days_of(split)}
    for epoch in range(3):
        assert not kept & set(task.part(epoch).days.tolist())
    for split in ("valid", "test"):
        assert set(task.asked[split].days.tolist()) <= set(days_of(split).tolist())


def test_the_examples_that_are_shown_are_of_a_day_that_is_kept_for_the_test(task: Dates) -> None:
    kept = {day(int(n)).isoformat() for n in days_of("test")}
    assert {wanted for _, wanted in task.fixed} <= kept
    assert [text.split()[0] for text, _ in task.fixed] == ["<fr>", "<zh>", "<en>"]


def test_a_batch_pairs_each_text_with_its_own_day(task: Dates) -> None:
    drawn = batch(task, epoch=3)
    source = task.predictor.source
    for numbers, wanted in zip(drawn.source.tolist(), answers(task, drawn.target), strict=True):
        text = [token for token in source.decode(numbers) if token != "<pad>"]
        year, _, date = wanted.split("-")
        assert text[0] in {"<en>", "<fr>", "<zh>"}
        # The day of the month and the last two digits of the year are in every format.
        assert str(int(date)) in "".join(text[1:]) and year[2:] in "".join(text[1:])


def test_lengths_are_given_exactly_when_there_is_padding(task: Dates) -> None:
    part, seen = task.part(0), set()
    for rows in task.plan(part.lengths, np.random.default_rng(0))[:40]:
        drawn = part.batch(rows)
        real = (drawn.source != task.predictor.source.pad).sum(1)
        seen.add(drawn.lengths is None)
        if drawn.lengths is None:
            assert (real == drawn.source.shape[1]).all()
        else:
            assert torch.equal(real, drawn.lengths)
    assert seen == {True, False}


def test_an_epoch_is_the_same_at_every_call_and_unlike_every_other(task: Dates) -> None:
    first, again, next_ = (batch(task, epoch).source for epoch in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, next_)
    other = batch(Dates(["en", "fr", "zh"], seed=1)).source
    assert not torch.equal(first, other)


def test_a_plan_has_every_example_once(task: Dates) -> None:
    plan = task.plan(task.part(0).lengths, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(plan)), np.arange(POOL))
    assert max(map(len, plan)) == BATCH_SIZE


def test_every_language_and_format_is_examined_alike(task: Dates) -> None:
    asked = task.examination("test", per_language=40, seed=0)
    assert np.bincount(asked.templates, minlength=12).tolist() == [10] * 12
    assert task.size("valid") == 600 and task.size("test") == 1998 and task.size("other") == 0


def test_a_perfect_model_is_exact_and_one_error_is_counted_where_it_is(
    task: Dates, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(task.size("valid"))
    assert task.score("valid", task.examine("valid", rows[::20]))["exact"] == 0
    wrong: set[int] = set()

    def oracle(model: Any, texts: Any, coder: Any, *rest: Any, **more: Any) -> Any:
        found = []
        for row, number in enumerate(task.asked["valid"].days):
            name = day((int(number) + (row in wrong)) % NUM_DAYS).isoformat()
            found.append([Hypothesis(tuple(coder.encode(name)), 0.0, True)])
        return found

    monkeypatch.setattr("regard.tasks.dates.write", oracle)
    assert task.score("valid", task.examine("valid", rows)) == {"exact": 1.0, "exact_common": 1.0}
    wrong.add(3)
    records = task.examine("valid", rows)
    assert [row for row, record in enumerate(records) if not record["right"]] == [3]
    assert by_language(records) == {"en": 0.995, "fr": 1.0, "zh": 1.0}
    assert list(by_language(records))[0] == "en"
    assert task.score("valid", records)["exact"] == pytest.approx(599 / 600)


def test_the_rows_that_are_asked_make_no_difference_to_each_answer(task: Dates) -> None:
    rows = np.array([5, 300, 7, 599])
    together = task.examine("valid", rows)
    assert together == [task.examine("valid", np.array([row]))[0] for row in rows]
    assert task.examine("valid", rows[:0]) == []
    assert {record["language"] for record in together} == {"en", "fr", "zh"}
    assert len(FORMATS) == 4


def test_the_loss_is_the_sum_over_characters(task: Dates) -> None:
    model, drawn = task.predictor.model.eval(), batch(task, count=8)
    logits = model(drawn.source, drawn.target[:, :-1], drawn.lengths)
    wanted = cross_entropy(logits.flatten(0, 1), drawn.target[:, 1:].flatten(), reduction="sum")
    torch.testing.assert_close(task.loss(drawn), wanted)
    assert drawn.labels == 8 * 11
