"""The task asks about days that it never shows, and counts what it claims to count."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from regard.data.synthetic.cldr_dates import languages
from regard.data.synthetic.days import NUM_DAYS, day, days_of
from regard.generation import Hypothesis
from regard.sequences import Sequences
from regard.tasks.dates import COMMON, Dates, DatesSettings, by_language
from regard.tasks.dates.metrics import date_scores
from regard.tasks.seq2seq import Seq2SeqBatch
from tests.tasks.dates import small_reader, small_task


@pytest.fixture(scope="module")
def task() -> Dates:
    return small_task("en", "fr", "zh")


def batch(task: Dates, epoch: int = 0, count: int = 64) -> Seq2SeqBatch:
    return task.part(epoch).batch(np.arange(count))


def answers(task: Dates, target: Sequences) -> list[str]:
    return ["".join(task.coder.target.decode(row[:-1])) for row in target.ids.tolist()]


def test_there_are_fifty_common_languages_and_all_are_known() -> None:
    assert len(set(COMMON)) == len(COMMON) == 50
    assert set(COMMON) <= set(languages())


def test_every_target_is_the_iso_name_of_its_day(task: Dates) -> None:
    numbers = np.arange(0, NUM_DAYS, 501)
    for number, name in zip(numbers, task.coder.names(numbers), strict=True):
        assert "".join(task.coder.target.decode(name.tolist())) == day(int(number)).isoformat()


def test_no_examined_day_is_ever_trained_on(task: Dates) -> None:
    kept = {int(n) for split in ("valid", "test") for n in days_of(split)}
    for epoch in range(3):
        assert not kept & set(task.part(epoch).days.tolist())
    for split in ("valid", "test"):
        assert set(task.data.examples[split].days.tolist()) <= set(days_of(split).tolist())


def test_the_examples_that_are_shown_are_of_a_day_that_is_kept_for_the_test(task: Dates) -> None:
    kept = {day(int(n)).isoformat() for n in days_of("test")}
    assert {wanted for _, wanted in task.fixed} <= kept
    assert [text.split()[0] for text, _ in task.fixed] == ["<fr>", "<zh>", "<en>"]


def test_a_batch_pairs_each_text_with_its_own_day(task: Dates) -> None:
    drawn = batch(task, epoch=3)
    source = task.coder.source
    for numbers, wanted in zip(drawn.source.ids.tolist(), answers(task, drawn.target), strict=True):
        text = [token for token in source.decode(numbers) if token != "<pad>"]
        year, _, date = wanted.split("-")
        assert text[0] in {"<en>", "<fr>", "<zh>"}
        # The day of the month and the last two digits of the year are in every format.
        assert str(int(date)) in "".join(text[1:]) and year[2:] in "".join(text[1:])


def test_lengths_are_given_exactly_when_there_is_padding(task: Dates) -> None:
    part, seen = task.part(0), set()
    for rows in task.plan(part.lengths, np.random.default_rng(0))[:40]:
        drawn = part.batch(rows)
        ids, lengths = drawn.source.ids, drawn.source.lengths
        real = (ids != task.coder.source.pad).sum(1)
        seen.add(lengths is None)
        assert torch.equal(real, drawn.source.counts)
        assert lengths is not None or (real == ids.shape[1]).all()
    assert seen == {True, False}


def test_an_epoch_is_the_same_at_every_call_and_unlike_every_other(task: Dates) -> None:
    first, again, next_ = (batch(task, epoch).source.ids for epoch in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, next_)
    other = batch(Dates(task.data, task.model, task.settings, seed=1)).source.ids
    assert not torch.equal(first, other)


def test_every_language_and_format_is_examined_alike(task: Dates) -> None:
    asked = task.data.questions("test", per_language=40, seed=0)
    assert np.bincount(asked.templates, minlength=12).tolist() == [10] * 12
    assert task.size("valid") == 600 and task.size("test") == 1998 and task.size("other") == 0
    few = Dates.prepare(None, DatesSettings(languages=("en",), valid_questions=9))
    assert len(few.examples["valid"]) == 9 and len(few.examples["test"]) == 2000


def test_a_perfect_model_is_exact_and_one_error_is_counted_where_it_is(
    task: Dates, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(task.size("valid"))
    assert task.score("valid", task.examine("valid", rows[::20]))["exact"] == 0
    wrong: set[int] = set()
    days = {
        text.tobytes(): (row, int(number))
        for row, (text, number) in enumerate(
            zip(task.data.examples["valid"].texts, task.data.examples["valid"].days, strict=True)
        )
    }

    def oracle(texts: Any, num_answers: int, batch_size: int) -> Any:
        found = []
        for text in texts:
            row, number = days[text.tobytes()]
            name = day((number + (row in wrong)) % NUM_DAYS).isoformat()
            found.append([Hypothesis(tuple(task.coder.target.encode(name)), 0.0, True)])
        return found

    monkeypatch.setattr(task.predictor, "write", oracle)
    assert task.score("valid", task.examine("valid", rows)) == {"exact": 1.0, "exact_common": 1.0}
    wrong.add(3)
    records = task.examine("valid", rows)
    assert [row for row, r in enumerate(records) if r["answer"] != r["target"]] == [3]
    assert by_language(records) == {"en": 0.995, "fr": 1.0, "zh": 1.0}
    assert list(by_language(records))[0] == "en"
    assert task.score("valid", records)["exact"] == pytest.approx(599 / 600)


def test_languages_that_are_not_common_count_in_the_share_of_all_alone() -> None:
    record = {"language": "vo", "target": "2026-03-03", "answer": "2026-03-03"}
    assert date_scores([record]) == {"exact": 1.0}
    both = date_scores([record, {**record, "language": "fr", "answer": ""}])
    assert both == {"exact": 0.5, "exact_common": 0.0}


def test_the_loss_is_the_sum_over_characters(task: Dates) -> None:
    model, drawn = task.model.eval(), batch(task, count=8)
    logits = model(drawn.source, drawn.written)
    wanted = cross_entropy(logits.flatten(0, 1), drawn.target.ids.flatten(), reduction="sum")
    torch.testing.assert_close(task.loss(drawn), wanted)
    assert drawn.num_targets == 8 * 11


def test_data_is_refused_because_there_is_nothing_to_read(task: Dates) -> None:
    for data in ("dates.csv", "made:opinions"):
        with pytest.raises(ValueError, match="nothing to read: give None as data"):
            Dates(data, task.model, task.settings)


def test_a_trained_reader_is_examined_in_the_languages_it_knows(task: Dates, tmp_path: Any) -> None:
    reader = small_reader("en", "fr", "zh")
    one, other = (Dates.of(reader, {}, tmp_path, given) for given in (None, task.settings))
    assert one.languages == other.languages == ("en", "fr", "zh") and not one.fixed
    rows = np.arange(5)
    assert one.examine("test", rows) == other.examine("test", rows)
    with pytest.raises(ValueError, match="learned 3 languages, and the settings name 2"):
        Dates.of(reader, {}, tmp_path, DatesSettings(languages=("en", "fr")))
