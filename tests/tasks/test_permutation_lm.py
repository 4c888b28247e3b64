"""Tokens are said in an order that is drawn, each knowing exactly what comes before it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from regard.tasks.permutation_lm import PartialOrder
from tests.tables.tasks import ROWS

LENGTHS = [1, 2, 5, 6, 7, 64, 513]


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("length", LENGTHS)
def test_one_token_in_six_is_asked_for_each_with_a_number_of_its_own(
    length: int, spans: bool
) -> None:
    drawing = PartialOrder(6, spans)
    for seed in range(20):
        order = drawing.drawn(length, np.random.default_rng(seed))
        asked = np.sort(order[order >= 0])
        assert len(order) == length and drawing.count(length) == max(1, length // 6)
        assert np.array_equal(asked, np.arange(max(1, length // 6)))
        assert (order[order < 0] == -1).all()


def test_every_place_and_every_number_is_drawn_alike_without_spans() -> None:
    orders = np.stack(
        [PartialOrder(3, False).drawn(9, np.random.default_rng(n)) for n in range(3000)]
    )
    assert np.allclose((orders >= 0).mean(0), 1 / 3, atol=0.04)
    for number in range(3):
        assert np.allclose((orders == number).mean(0), 1 / 9, atol=0.03)


def test_spans_are_one_to_five_long_in_their_shares() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        asked = PartialOrder(6).drawn(512, np.random.default_rng(seed)) >= 0
        edges = np.flatnonzero(np.diff([0, *asked.astype(int), 0]))
        for size in edges[1::2] - edges[::2]:
            counts[size] += 1
    shares = counts / counts.sum()
    wanted = 1 / np.arange(1, 6)
    # Spans that touch one another, and the last ones, which are cut, make these inexact.
    assert np.allclose(shares[1:6], wanted / wanted.sum(), atol=0.06)


def test_an_order_follows_from_the_seed_the_epoch_and_the_block(tmp_path: Path) -> None:
    task = ROWS["permutation_lm"].made(tmp_path)
    other = ROWS["permutation_lm"].made(tmp_path / "other", seed=1)
    rows = np.arange(4)
    first, again, next_epoch = (task.part(n).batch(rows).order for n in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, next_epoch)
    assert not torch.equal(first, other.part(0).batch(rows).order)
    assert not torch.equal(first[0], first[1])
    valid = task.batch("valid", rows).order
    assert torch.equal(valid, task.batch("valid", rows).order)


def test_each_target_knows_exactly_the_tokens_before_it_in_the_order(tmp_path: Path) -> None:
    """By the weights of a layer, and by the gradients through all of them."""
    task = ROWS["permutation_lm"].made(tmp_path)
    model = task.model.double().eval()
    batch = task.part(0).batch(np.arange(3))
    vectors = model.encoder.tokens(batch.source.ids).detach().requires_grad_()
    hook = model.encoder.tokens.register_forward_hook(lambda *_: vectors)
    logits = model(batch.source, batch.order)
    weights = model.attention_weights(batch.source, batch.order)
    hook.remove()
    for row, order in enumerate(batch.order):
        for number in range(int((order >= 0).sum())):
            before = order < number
            (found,) = torch.autograd.grad(
                logits[row, number].pow(2).sum(), vectors, retain_graph=True
            )
            reached = found.abs().sum(-1) > 0
            assert torch.equal(reached[row], before), "what comes before it, and nothing else"
            assert reached.sum() == before.sum(), "another text is known"
            assert torch.equal(weights[row, number] > 0, before)


def test_the_loss_is_of_the_targets_alone(tmp_path: Path) -> None:
    task = ROWS["permutation_lm"].made(tmp_path)
    task.model.eval()
    batch = task.part(0).batch(np.arange(3))
    logits = task.model(batch.source, batch.order)
    wanted = torch.zeros(())
    for row, order in enumerate(batch.order):
        for number in range(int((order >= 0).sum())):
            token = batch.source.ids[row, order == number]
            wanted = wanted - logits[row, number].log_softmax(-1)[token].squeeze()
    torch.testing.assert_close(task.loss(batch), wanted)
    assert batch.num_targets == 3 * 4


def test_gaps_are_filled_one_after_the_other_and_searched_together(tmp_path: Path) -> None:
    """The likeliest fillings are those that trying all of them finds."""
    task = ROWS["permutation_lm"].made(tmp_path)
    with torch.no_grad():
        for weight in task.model.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
    task.model.eval()
    coder, vocab = task.coder, len(task.coder.tokenizer)
    text = "bad <mask>ab<mask>"
    tokens, (one, other) = coder.read(text)
    order = torch.full((1, len(tokens)), -1)
    order[0, one], order[0, other] = 0, 1
    scores = {}
    for first in range(vocab):
        for second in range(vocab):
            row = list(tokens)
            row[one], row[other] = first, second
            with torch.no_grad():
                logits = task.model(type(task.batch("valid", np.arange(1)).source)(
                    torch.tensor([row])), order)[0].log_softmax(-1)  # fmt: skip
            scores[first, second] = float(logits[0, first] + logits[1, second])
    found = task.predictor.predict([text], vocab)[0]
    best = sorted(scores.values(), reverse=True)[:3]
    assert [score for _, score in found.answers[:3]] == pytest.approx(best, abs=1e-5)
    assert found.weights.shape == (2, len(tokens)) and found.outputs == tuple(
        found.inputs[gap] for gap in (one, other)
    )


@pytest.mark.parametrize(
    ("text", "why"), [("bad cab", "has no gap; write <mask>"), ("<mask>" * 2000, "2,000 tokens")]
)
def test_a_text_that_cannot_be_filled_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        ROWS["permutation_lm"].made(tmp_path).predictor.predict([text])


def test_a_text_shorter_than_a_block_is_refused(tmp_path: Path) -> None:
    row = ROWS["permutation_lm"]
    with pytest.raises(ValueError, match="a block takes 5000"):
        row.made(tmp_path, row.made_settings(block=5000))


def test_a_small_network_learns_what_stands_in_the_gaps(tmp_path: Path) -> None:
    task = ROWS["permutation_lm"].made(tmp_path)
    optimizer = torch.optim.Adam(task.model.parameters(), lr=0.02)

    def loss() -> float:
        records = task.examine("valid", np.arange(task.size("valid")))
        return task.score("valid", records)["loss"]

    before = loss()
    for epoch in range(6):
        part = task.part(epoch)
        for rows in task.plan(part.lengths, np.random.default_rng(epoch)):
            batch = part.batch(rows)
            optimizer.zero_grad()
            (task.loss(batch) / batch.num_targets).backward()
            optimizer.step()
    assert loss() < 0.8 * before
