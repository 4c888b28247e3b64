"""Masked language modelling: which tokens are hidden and how, what they cost, and filling gaps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import regard
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.errors import UsageError
from regard.run.training import Options
from regard.tasks import TASKS, task_class
from regard.tasks.masked_lm import MaskedLM
from regard.tasks.masked_lm.masking import NOT_CHOSEN, Masking
from regard.tasks.masked_lm.predictor import likeliest_fillings
from tests.tables.tasks import ROWS
from tests.tasks.rows import learn

MASK, ORDINARY = 4, np.arange(5, 50)


def text(seed: int, length: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).integers(5, 50, length)


@pytest.mark.parametrize("length", [1, 3, 10, 100, 333])
def test_exactly_the_share_of_the_tokens_is_chosen_and_what_they_were_is_told(length: int) -> None:
    masking = Masking(0.15, MASK, ORDINARY)
    for seed in range(20):
        whole = text(seed, length)
        ids, targets = masking.masked(whole, (0, 1))
        chosen = targets != NOT_CHOSEN
        assert chosen.sum() == max(1, round(0.15 * length))
        assert (targets[chosen] == whole[chosen]).all() and (ids[~chosen] == whole[~chosen]).all()


def test_of_the_chosen_eight_tenths_are_masked_one_exchanged_and_one_kept() -> None:
    masking = Masking(0.5, MASK, ORDINARY)
    masked = kept = other = 0
    for seed in range(400):
        ids, targets = masking.masked(text(seed), (3, 1))
        there = targets != NOT_CHOSEN
        masked += int((ids[there] == MASK).sum())
        kept += int((ids[there] == targets[there]).sum())
        other += int(((ids != targets) & (ids != MASK))[there].sum())
        assert not np.isin(ids[there], [0, 1, 2, 3]).any()
    count = masked + kept + other
    assert count == 400 * 50
    # One of the 45 that a token is exchanged for is itself.
    wanted = np.array([0.8, 0.1 + 0.1 / 45, 0.1 - 0.1 / 45]) * count
    deviation = np.sqrt(wanted * (1 - wanted / count))
    assert (np.abs(np.array([masked, kept, other]) - wanted) < 4 * deviation).all()


def test_every_place_is_chosen_as_often_as_any_other() -> None:
    masking = Masking(0.2, MASK, ORDINARY)
    hits = sum((masking.masked(text(seed, 20), (0, 1))[1] >= 0).astype(int) for seed in range(2000))
    assert hits.sum() == 2000 * 4
    assert (np.abs(hits - 400) < 4.5 * np.sqrt(400 * 0.8)).all()


def test_what_is_hidden_depends_on_the_key_and_the_text_alone() -> None:
    masking, one = Masking(0.15, MASK, ORDINARY), text(0)
    same = [masking.masked(one, (0, 1))[0].tolist() for _ in range(2)]
    assert same[0] == same[1]
    others = [masking.masked(one, key)[1].tolist() for key in ((0, 2), (1, 1), (2, 0))]
    assert len({*map(tuple, others)}) == 3
    assert masking.masked(text(1), (0, 1))[1].tolist() != same[0]


def test_whole_words_are_hidden_whole_and_as_many_as_fit() -> None:
    begins = np.zeros(50, dtype=bool)
    begins[5:20] = True
    masking = Masking(0.2, MASK, ORDINARY, begins)
    for seed in range(100):
        whole = text(seed, 60)
        _, targets = masking.masked(whole, (0, 1))
        chosen = targets != NOT_CHOSEN
        starts = begins[whole] | (np.arange(60) == 0)
        words = np.cumsum(starts)
        for word in np.unique(words):
            assert chosen[words == word].all() or not chosen[words == word].any()
        smallest = np.bincount(words)[1:].min()
        assert min(smallest, 12) <= chosen.sum() <= max(12, smallest)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = ROWS["masked_lm"].made(tmp_path_factory.mktemp("masked"))
    found.model.double().eval()
    return found


def test_a_block_has_its_special_tokens_around_it_which_are_never_hidden(task: MaskedLM) -> None:
    batch = task.part(0).batch(np.arange(5))
    begin, end = task.coder.tokenizer.begin, task.coder.tokenizer.end
    assert batch.source.ids.shape == batch.targets.shape == (5, 10)
    assert (batch.source.ids[:, 0] == begin).all() and (batch.source.ids[:, -1] == end).all()
    assert (batch.targets[:, [0, -1]] == NOT_CHOSEN).all()
    assert batch.num_targets == 5 * max(1, round(0.15 * 8))


def test_every_epoch_hides_other_tokens_and_the_validation_text_always_the_same(
    task: MaskedLM,
) -> None:
    first, second = (task.part(epoch).batch(np.arange(5)).targets for epoch in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, task.part(0).batch(np.arange(5)).targets)
    together = task.batch("valid", np.array([0, 1, 2])).targets
    assert torch.equal(together[2:], task.batch("valid", np.array([2])).targets)


def test_the_loss_is_the_surprise_at_what_was_chosen_alone(task: MaskedLM) -> None:
    batch = task.part(0).batch(np.arange(6))
    logits = task.model(batch.source)
    wanted = cross_entropy(
        logits.mT, batch.targets, ignore_index=NOT_CHOSEN, reduction="sum"
    ).detach()
    assert task.loss(batch).item() == pytest.approx(float(wanted), rel=1e-8)
    rows = np.arange(task.size("valid"))
    scores = task.score("valid", task.examine("valid", rows))
    assert scores.keys() == {"loss", "perplexity", "accuracy"}
    assert scores["perplexity"] == pytest.approx(np.exp(scores["loss"]))


def test_what_the_rest_of_a_text_says_is_filled_in(tmp_path: Path) -> None:
    same = "".join(" ".join([letter] * 48) + "\n" for _ in range(12) for letter in "abcdef")
    larger = {"embed_dim": 16, "num_heads": 2, "ff_dim": 32, "layers": 1, "dropout": 0.0}
    network = ("bert_masked_lm", {**larger, "init_std": 0.2})
    row = replace(ROWS["masked_lm"], network=network, file=("text.txt", same))
    task = row.made(tmp_path, row.made_settings(share=0.2, batch_size=20, block=14))
    learn(task, 150)
    scores = task.score("valid", task.examine("valid", np.arange(task.size("valid"))))
    assert scores["loss"] < 0.5 and scores["accuracy"] > 0.9
    (answer,) = task.predictor.predict(["C c [MASK] c c"], num_answers=3)
    assert answer.best == "C c c c c" and len(answer.answers) == 3
    assert answer.weights.shape == (1, 7) and answer.inputs[0] == "[CLS]"


def test_several_gaps_are_filled_in_the_likeliest_ways() -> None:
    scores = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    every = {
        (a, b, c): float(scores[0, a] + scores[1, b] + scores[2, c])
        for a in range(5)
        for b in range(5)
        for c in range(5)
    }
    wanted = sorted(every.values(), reverse=True)[:7]
    found = likeliest_fillings(scores, 7)
    assert [value for _, value in found] == pytest.approx(wanted, abs=1e-6)
    assert all(every[numbers] == pytest.approx(value, abs=1e-6) for numbers, value in found)


def test_a_text_without_a_gap_and_one_too_long_are_refused(task: MaskedLM) -> None:
    with pytest.raises(ValueError, match="text 2 of 2 has no gap; write"):
        task.predictor.predict(["a [MASK]", "bad cab"])
    with pytest.raises(ValueError, match="has 23 tokens, and the network reads 10 at once"):
        task.predictor.predict(["[MASK]" + " a" * 20])


def test_plain_text_is_read_so_only_where_the_task_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abcd bad cab\n" * 60)
    schemas = tuple(task_class(name).schema for name in TASKS if task_class(name).schema)
    for named, found in ((None, "language_model"), ("masked_lm", "masked_lm")):
        assert read(str(tmp_path / "text.txt"), DataRequest(schemas, named)).task == found


def test_tokens_without_a_mask_and_blocks_without_a_token_are_refused(tmp_path: Path) -> None:
    path, quiet = tmp_path / "text.txt", Options(progress=False)
    path.write_text("abcd bad cab\n" * 60)
    for given, said in (
        ({"tokens": "bpe"}, r"none that stands for what is hidden .* tokens=bert has one"),
        ({"block": 2}, "block is 2, and 2 special tokens stand around each; give at least 3"),
    ):
        with pytest.raises(UsageError, match=said):
            regard.train(
                path, task="masked_lm", out=tmp_path / "run", steps=1, options=quiet, **given
            )


def test_a_word_begins_where_the_tokens_say_so() -> None:
    tokenizer = Tokenizer.train(["low lower lowest"] * 9, "bpe", size=300)
    numbers = tokenizer.encode(["low lower"]).values
    pieces = tokenizer.tokens(numbers.tolist())
    assert tokenizer.begins_word[numbers].tolist() == [p.startswith("▁") for p in pieces]
