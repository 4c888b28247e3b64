"""The task asks about days that it never shows, and counts what it claims to count."""

import numpy as np
import pytest
import torch

from regard.data.cldr_dates import languages
from regard.data.days import NUM_DAYS, day, days_of
from regard.models.rnnsearch import Hypothesis, RNNsearch
from regard.tasks.dates import COMMON, Dates, Examination


@pytest.fixture(scope="module")
def task() -> Dates:
    return Dates(["en", "fr", "zh"])


def answers(task: Dates, target: torch.Tensor) -> list[str]:
    return ["".join(task.target.decode(row[1:-1])) for row in target.tolist()]


def test_there_are_fifty_common_languages_and_all_are_known() -> None:
    assert len(set(COMMON)) == len(COMMON) == 50
    assert set(COMMON) <= set(languages())


def test_every_target_is_the_iso_name_between_begin_and_end(task: Dates) -> None:
    rows = torch.arange(0, NUM_DAYS, 501)
    assert answers(task, task.targets[rows]) == [day(n).isoformat() for n in rows.tolist()]
    assert set(task.targets[:, 0].tolist()) == {task.target.begin}
    assert set(task.targets[:, -1].tolist()) == {task.target.end}


def test_no_examined_day_is_ever_trained_on(task: Dates) -> None:
    kept = {day(int(n)).isoformat() for split in ("valid", "test") for n in days_of(split)}
    batches = task.batches(500, seed=0)
    for _ in range(150):
        assert not kept & set(answers(task, next(batches).target))
    for split in ("valid", "test"):
        asked = task.examination(split, per_language=50, seed=0)
        assert set(asked.days.tolist()) <= set(days_of(split).tolist())


def test_a_batch_pairs_each_text_with_its_own_day(task: Dates) -> None:
    batch = next(task.batches(64, seed=3))
    for source, wanted in zip(batch.source.tolist(), answers(task, batch.target), strict=True):
        text = [token for token in task.source.decode(source) if token != "<pad>"]
        year, month, date = wanted.split("-")
        assert text[0] in {"<en>", "<fr>", "<zh>"}
        # The day of the month and the last two digits of the year are in every format.
        assert str(int(date)) in "".join(text[1:]) and year[2:] in "".join(text[1:])


def test_lengths_are_given_exactly_when_there_is_padding(task: Dates) -> None:
    batches = task.batches(128, seed=0)
    seen = set()
    for _ in range(60):
        batch = next(batches)
        real = (batch.source != task.source.pad).sum(1)
        seen.add(batch.lengths is None)
        if batch.lengths is None:
            assert (real == batch.source.shape[1]).all()
        else:
            assert torch.equal(real, batch.lengths)
    assert seen == {True, False}


def test_the_seed_decides_the_batches(task: Dates) -> None:
    first, again, other = (next(task.batches(32, seed)).source for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_every_language_and_format_is_examined_alike(task: Dates) -> None:
    asked = task.examination("test", per_language=40, seed=0)
    assert np.bincount(asked.templates, minlength=12).tolist() == [10] * 12


def test_an_untrained_model_is_never_exact_and_a_perfect_one_always(
    task: Dates, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = task.examination("test", per_language=20, seed=0)
    assert not task.exact(task.model(), asked).any()
    model = Oracle(task, asked)
    monkeypatch.setattr("regard.tasks.dates.greedy", model.greedy)
    assert task.exact(model, asked).all()
    model.wrong = {3}
    right = task.exact(model, asked)
    assert np.flatnonzero(~right).tolist() == [3]
    assert task.by_language(right, asked) == {"en": 0.95, "fr": 1.0, "zh": 1.0}
    assert list(task.by_language(right, asked))[0] == "en"


class Oracle(RNNsearch):
    """A model that knows the answers, told by the text."""

    def __init__(self, task: Dates, asked: Examination) -> None:
        super().__init__(task.model().config)
        self.task, self.wrong = task, set[int]()
        texts = task.dates.encode(asked.templates, asked.days)
        rows = np.split(texts.values, texts.offsets[1:-1])
        self.rows = {tuple(row.tolist()): number for number, row in enumerate(rows)}
        self.days = asked.days

    def encode(self, source, lengths=None):
        stops = [source.shape[1]] * len(source) if lengths is None else lengths.tolist()
        texts = [tuple(row[:n]) for row, n in zip(source.tolist(), stops, strict=True)]
        return [self.rows[text] for text in texts]

    def greedy(self, model: object, rows: list[int], *rest: int) -> list[Hypothesis]:
        found = []
        for row in rows:
            number = (int(self.days[row]) + (row in self.wrong)) % NUM_DAYS
            tokens = self.task.target.encode(day(number).isoformat())
            found.append(Hypothesis(tuple(tokens), 0.0, True))
        return found


def test_the_loss_is_the_mean_over_characters(task: Dates) -> None:
    model, batch = task.model().eval(), next(task.batches(8, seed=0))
    logits = model(batch.source, batch.target[:, :-1], batch.lengths).log_softmax(-1)
    chosen = logits.gather(-1, batch.target[:, 1:, None])
    torch.testing.assert_close(task.loss(model, batch), -chosen.mean())
