"""A saved network is the network; anything else is refused with a sentence."""

from pathlib import Path

import torch

from regard.layers import Attend
from regard.models.checkpoint import load_network, save
from regard.normalizers import sparsemax
from regard.scores import Additive
from tests.models.han.small import batch, small_model


def test_parts_that_were_given_are_saved_by_their_names_for_each_level(tmp_path: Path) -> None:
    made = iter([Attend(Additive(5, 5, 4)), Attend(Additive(5, 5, 5), normalizer=sparsemax)])
    model = small_model(lambda: next(made)).float()
    words, sentences = model.config.word_pooling, model.config.sentence_pooling
    assert (words.score, words.normalizer) == ("additive(hidden_dim=4)", "softmax")
    assert (sentences.score, sentences.normalizer) == ("additive", "sparsemax")
    save(model, tmp_path)
    again = load_network(tmp_path)
    assert torch.equal(again(batch()), model(batch())) and again.config == model.config
