"""What is read and what is written make the text again, in the published numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.span_corruption import Corruption, corrupted, restored
from regard.tasks.span_corruption.coder import SpanCoder
from tests.tables.tasks import ROWS

SENTINELS = np.arange(999, 899, -1)


def drawn(length: int, seed: int = 0, **how: float) -> np.ndarray:
    return Corruption(**how).mask(length, np.random.default_rng(seed))


def spans_of(mask: np.ndarray) -> int:
    return int((mask & ~np.concatenate([[False], mask[:-1]])).sum())


@pytest.mark.parametrize("length", [2, 3, 7, 20, 113, 568])
@pytest.mark.parametrize("how", [{}, {"density": 0.5, "span": 1.0}, {"density": 0.3, "span": 10.0}])
def test_what_is_read_and_what_is_written_are_the_text(length: int, how: dict[str, float]) -> None:
    text, sentinels = np.arange(length), np.arange(9999, 8999, -1)
    for seed in range(20):
        mask = drawn(length, seed, **how)
        read, written = corrupted(text, mask, sentinels)
        assert restored(read.tolist(), written.tolist(), sentinels.tolist()) == text.tolist()
        assert (len(read) + 1, len(written) + 1) == Corruption(**how).lengths(length)
        marks = [token for token in read if token >= 8999]
        assert marks == [token for token in written if token >= 8999]
        assert marks == sentinels[: len(marks)].tolist()


@pytest.mark.parametrize("length", [2, 9, 40, 568])
def test_as_many_tokens_and_spans_are_left_out_as_are_said(length: int) -> None:
    for seed in range(20):
        mask = drawn(length, seed)
        assert (mask.sum(), spans_of(mask)) == Corruption().counts(length)
        assert not mask[0] and mask[-1]


def test_every_cut_into_spans_is_as_likely() -> None:
    counts = np.zeros(8)
    for seed in range(4000):
        mask = drawn(8, seed, density=0.5, span=2.0)
        counts += mask
    # Of 4 kept and 4 left out in 2 spans each, by 3 × 3 cuts.
    cuts = [(kept, gone) for kept in (1, 2, 3) for gone in (1, 2, 3)]
    wanted = np.zeros(8)
    for kept, gone in cuts:
        row = [0] * kept + [1] * gone + [0] * (4 - kept) + [1] * (4 - gone)
        wanted += np.array(row) / len(cuts)
    assert np.abs(counts / 4000 - wanted).max() < 0.04


def test_the_lengths_are_the_published_ones() -> None:
    assert Corruption().length_for(512) == 568 and Corruption().lengths(568) == (512, 114)
    for read in range(4, 200):
        length = Corruption().length_for(read)
        assert Corruption().lengths(length)[0] <= read < Corruption().lengths(length + 1)[0]
    with pytest.raises(ValueError, match="2 tokens to read are too few for a text with a gap"):
        Corruption().length_for(2)


def test_marks_without_a_span_and_tokens_before_the_first_leave_no_trace() -> None:
    assert restored([1, 9, 2, 8, 3], [5, 9, 6, 7, 9], [9, 8]) == [1, 6, 7, 2, 3]


def test_every_epoch_has_other_gaps_and_validation_always_the_same(tmp_path: Path) -> None:
    task = ROWS["span_corruption"].made(tmp_path)
    first, again, second = (task.part(epoch).batch(np.arange(4)) for epoch in (0, 0, 1))
    assert torch.equal(first.source.ids, again.source.ids)
    assert not torch.equal(first.source.ids, second.source.ids)
    other = ROWS["span_corruption"].made(tmp_path / "other", seed=1)
    assert not torch.equal(other.part(0).batch(np.arange(4)).source.ids, first.source.ids)
    both = [each.batch("valid", np.arange(2)).source.ids for each in (task, other)]
    assert torch.equal(*both)


def test_blocks_fill_what_is_read_and_restore_the_text(tmp_path: Path) -> None:
    task = ROWS["span_corruption"].made(tmp_path)
    coder, part = task.coder, task.part(3)
    batch = part.batch(np.arange(len(part.examples)))
    assert batch.source.lengths is None and batch.source.ids.shape[1] == coder.length
    blocks = part.examples.blocks(np.arange(len(part.examples)))
    end = coder.tokenizer.end
    rows = zip(batch.source.ids.tolist(), batch.target.ids.tolist(), blocks.tolist(), strict=True)
    for read, written, text in rows:
        assert read[-1] == written[-1] == end
        assert restored(read[:-1], written[:-1], coder.marks.tolist()) == text


class Answers(torch.nn.Module):
    """Writes the same to whatever it reads."""

    def __init__(self, written: list[int], vocab: int) -> None:
        super().__init__()
        self.written, self.vocab = written, vocab

    def encode(self, source: Any) -> torch.Tensor:
        return source.ids

    def start(self, encoded: torch.Tensor, beams: int) -> torch.Tensor:
        return torch.zeros(len(encoded) * beams, 1)

    def step(self, encoded: Any, state: Any, token: torch.Tensor) -> tuple[Any, Any]:
        wanted = torch.tensor([self.written[int(place)] for place in state[:, 0]])
        return torch.nn.functional.one_hot(wanted, self.vocab) * 9.0, state + 1


def test_gaps_are_filled_and_a_text_without_one_stays(tmp_path: Path) -> None:
    task = ROWS["span_corruption"].made(tmp_path)
    coder = task.coder
    written = [*coder.read("<extra_id_0>a<extra_id_1>b c")]
    task.predictor.model = Answers(written, coder.sizes["vocab"])
    found = task.predictor.predict(["b<extra_id_0>d c<extra_id_1>b", "bad cab"])
    assert [each.best for each in found] == ["bad cb cb", "bad cab"]
    assert found[0].inputs[1] == "<extra_id_0>" and found[0].inputs[-1] == "</s>"
    assert found[0].outputs[0] == "<extra_id_0>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (" ", "text 1 of 1 is empty"),
        ("a<extra_id_7>b", "there is no <extra_id_7>; the 4 sentinels are <extra_id_0> to"),
        ("abcd" * 99, "text 1 of 1 has 396 characters; this run was trained on 20 tokens"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        ROWS["span_corruption"].made(tmp_path).predictor.predict([text])


def test_more_gaps_than_sentinels_are_refused() -> None:
    tokens = Tokenizer.train(["ab"], "characters")
    with pytest.raises(ValueError, match="568 tokens have 28 spans, and there are 27 sentinels"):
        SpanCoder(tokens, sentinels=27)
    assert SpanCoder(tokens, sentinels=28).marks.tolist() == list(range(len(tokens) + 27, 5, -1))
