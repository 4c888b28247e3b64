"""Language modelling: blocks of a running text, what they cost, and how a text is continued."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from regard.models.protocols import Continues
from regard.tasks.language_model import LanguageModel, TextGenerator
from regard.tasks.language_model.coder import TextCoder
from tests.tasks.rows import learn, table
from tests.tasks.small import continuing


def test_a_text_that_repeats_itself_is_learned(tmp_path: Path) -> None:
    task = continuing(tmp_path)
    learn(task, 120)
    scores = task.score("valid", task.examine("valid", np.arange(task.size("valid"))))
    assert scores["loss"] < 0.1 and scores["perplexity"] == pytest.approx(np.exp(scores["loss"]))
    # One character is one token here.
    assert scores["bits_per_character"] == pytest.approx(scores["loss"] / np.log(2))
    answer = task.predictor.predict(["abcd abcd a"])[0]
    assert answer.answers[0][0] == "bcd abcd a"


def test_bits_are_counted_per_character_where_tokens_have_several(tmp_path: Path) -> None:
    task = continuing(tmp_path)
    text = task.data.examples["valid"]
    many = replace(text, characters=3 * len(text.stream))
    task.data = replace(task.data, examples={"valid": many})
    scores = task.score("valid", [{"nll": 12.0, "targets": 4}, {"nll": 0.0, "targets": 2}])
    assert scores["loss"] == 2
    assert scores["bits_per_character"] == pytest.approx(2 / np.log(2) / 3)


def test_the_loss_is_the_surprise_at_each_next_token(tmp_path: Path) -> None:
    task = continuing(tmp_path)
    model = task.predictor.model.double().eval()
    batch = task.part(0).batch(np.arange(4))
    assert batch.text.shape == (4, 9)
    assert batch.num_targets == batch.num_tokens == batch.num_padded_tokens == 32
    logits = model(batch.text[:, :-1]).detach().numpy()
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -np.take_along_axis(scores, batch.text[:, 1:, None].numpy(), -1).sum()
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-10)
    text = task.data.examples["valid"].stream.values
    records = task.examine("valid", np.arange(task.size("valid")))
    assert [r["targets"] for r in records] == [8] * ((len(text) - 1) // 8)


def test_every_epoch_begins_elsewhere_and_knows_where(tmp_path: Path) -> None:
    task = continuing(tmp_path, period="abcdefghijklm ")
    starts = [task.part(epoch).examples.starts for epoch in range(12)]
    assert len({int(each[0]) for each in starts}) > 3
    assert all((np.diff(each) == 8).all() and each[-1] + 9 <= 60 * 14 for each in starts)
    assert np.array_equal(task.part(3).examples.starts, starts[3])


def test_a_text_shorter_than_a_block_is_refused_with_both_numbers(tmp_path: Path) -> None:
    tokenizer = continuing(tmp_path).coder.tokenizer
    coder = TextCoder(tokenizer, block=8)
    assert len(coder.encode_rows([{"text": "abcd abcd"}])) == 1
    with pytest.raises(ValueError, match="text has 8 tokens, a block takes 9"):
        coder.encode_rows([{"text": "abcd abc"}])
    coder.encode({"valid": table(text=["abcd ", "abcd"])}, tmp_path / "enough")
    with pytest.raises(ValueError, match="the valid text has 8 tokens, a block takes 9"):
        coder.encode({"valid": table(text=["abcd ", "abc"])}, tmp_path / "short")


def test_the_draws_of_a_text_generator_can_be_repeated(tmp_path: Path) -> None:
    hot = continuing(tmp_path, length=6, temperature=1.0).predictor
    hot.model.eval()
    one, other = hot.predict(["ab", "ab"]), hot.predict(["ab", "ab"])
    assert [a.answers for a in one] == [a.answers for a in other]
    (several,) = hot.predict(["ab"], num_answers=4)
    scores = [score for _, score in several.answers]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True)
    assert one[0].answers != one[1].answers


def test_what_is_written_has_the_length_and_the_warmth_that_were_said(tmp_path: Path) -> None:
    task = continuing(tmp_path, length=7)
    cold = task.predictor
    cold.model.eval()
    (answer,) = cold.predict(["abcd"])
    assert len(answer.best) == 7
    drawn = {}
    for temperature in (0.001, 50.0):
        coder = TextCoder(task.coder.tokenizer, 8, 7, temperature)
        answers = TextGenerator(cold.model, coder).predict(["abcd"] * 6)
        drawn[temperature] = {each.best for each in answers}
    assert len(drawn[0.001]) == 1 and len(drawn[50.0]) > 3


def test_an_answer_may_outgrow_its_block(tmp_path: Path) -> None:
    (answer,) = continuing(tmp_path, length=30).predictor.predict(["abcd abcd abcd"])
    assert answer.weights.shape == (8, 8) and len(answer.inputs) == 8
    assert not answer.weights.triu(1).any()
    torch.testing.assert_close(answer.weights.sum(1), torch.ones(8))


class Bigrams(nn.Module):
    """A network of anybody's: no configuration, no attention."""

    def __init__(self, vocab: int, **_: Any) -> None:
        super().__init__()
        self.next = nn.Linear(vocab, vocab, bias=False)
        nn.init.zeros_(self.next.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.next(one_hot(tokens, self.next.in_features).float())

    def encode(self, tokens: Tensor) -> Tensor:
        return tokens

    def start(self, encoded: Tensor, beams: int) -> Tensor:
        return encoded[:, -1].repeat_interleave(beams)

    def step(self, encoded: Tensor, state: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        return self(token[:, None])[:, 0], token


def test_a_network_of_ones_own_is_trained_asked_saved_and_read_again(tmp_path: Path) -> None:
    given = continuing(tmp_path / "data")
    task = LanguageModel(given.data, Bigrams, given.settings)
    assert isinstance(task.model, Continues)
    learn(task, 60, rate=0.3)
    (answer,) = task.predictor.predict(["ab"])
    assert answer.best == "cd abcd ab" and answer.weights is None
    (tmp_path / "best").mkdir()
    task.predictor.save(tmp_path / "best")
    model = Bigrams(len(task.coder.tokenizer))
    again = TextGenerator.load(tmp_path / "best", task.coder.entries(), model=model)
    assert again.predict(["ab"])[0].answers == answer.answers
