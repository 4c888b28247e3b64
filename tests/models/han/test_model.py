"""The hierarchical attention network is the one of the paper; padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.han import HAN
from regard.normalizers import sparsemax
from regard.scores import Additive
from tests.models.han.small import DOCUMENTS, SIZES, batch, small_model

KINDS = [
    {},
    {"words": "mean"},
    {"sentences": "mean"},
    {"words": "mean", "sentences": "mean"},
]


def by_the_book(
    model: HAN, tokens: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """The paper's equations for one document: one word, one state after the other."""
    w = {name: weight.detach().numpy() for name, weight in model.named_parameters()}

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def one_way(level: str, way: int, inputs: list[np.ndarray]) -> list[np.ndarray]:
        p = f"document.levels.{level}.encoder.cells."
        h, states = np.zeros(SIZES["hidden_dim"]), []
        for x in inputs:
            gates = x @ w[p + "gate_input"][way] + w[p + "gate_bias"][way, 0]
            r, z = np.split(sigmoid(gates + h @ w[p + "gate_weight"][way]), 2)
            inner = x @ w[p + "candidate_input"][way] + w[p + "candidate_bias"][way, 0]
            c = np.tanh(inner + (r * h) @ w[p + "candidate_weight"][way])
            h = (1 - z) * h + z * c
            states.append(h)
        return states

    def summed(level: str, kind: str, inputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        ahead, back = one_way(level, 0, inputs), one_way(level, 1, inputs[::-1])[::-1]
        states = [np.concatenate(pair) for pair in zip(ahead, back, strict=True)]
        p = f"document.levels.{level}.pool."
        weights = np.full(len(states), 1 / len(states))
        if kind == "attention":
            u = [np.tanh(w[p + "key.0.weight"] @ h + w[p + "key.0.bias"]) for h in states]
            e = np.exp([one @ w[p + "query"][0] for one in u])
            weights = e / e.sum()
        return sum(a * h for a, h in zip(weights, states, strict=True)), weights

    cut: list[list[int]] = [[]]
    for token in tokens:
        if token == 3:
            cut.append([])
        else:
            cut[-1].append(token)
    found = [
        summed("0", model.config.words, [w["embedding.weight"][token] for token in sentence])
        for sentence in cut
        if sentence
    ]
    vector, of_sentences = summed("1", model.config.sentences, [s for s, _ in found])
    logits = w["output.weight"] @ vector + w["output.bias"]
    look, words = np.zeros(len(tokens)), [i for i, token in enumerate(tokens) if token != 3]
    look[words] = np.concatenate([b * a for (_, a), b in zip(found, of_sentences, strict=True)])
    return logits, look, [a for _, a in found], of_sentences


@pytest.mark.parametrize("kinds", KINDS)
def test_logits_and_weights_are_those_of_the_paper(kinds: dict[str, Any]) -> None:
    model, (source, lengths) = small_model(**kinds), batch()
    logits, look = model(source, lengths).detach(), model.look(source, lengths)
    for row, document in enumerate(DOCUMENTS):
        wanted, counted, _, _ = by_the_book(model, document)
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(look[row, : len(document)], counted, rtol=0, atol=1e-12)
        assert not look[row, len(document) :].any()
    torch.testing.assert_close(look.sum(1), torch.ones(5, dtype=torch.float64))


def test_both_levels_can_be_seen() -> None:
    model, (source, lengths) = small_model(), batch()
    of_words, of_sentences = model.weights(source, lengths)
    _, _, words, sentences = by_the_book(model, DOCUMENTS[0])
    np.testing.assert_allclose(of_words[0, [0, 1, 2, 4]], [*words[0], *words[1]], atol=1e-12)
    np.testing.assert_allclose(of_sentences[0, [0, 4, 10]], sentences, atol=1e-12)
    ends = source == 3
    assert not of_words[ends].any()
    assert not of_sentences[ends].any()


@pytest.mark.parametrize("kinds", KINDS)
def test_a_padded_batch_equals_its_documents_one_by_one_gradients_too(
    kinds: dict[str, Any],
) -> None:
    model, (source, lengths) = small_model(**kinds), batch()
    model(source, lengths).pow(3).sum().backward()
    together = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    for document in DOCUMENTS:
        model(torch.tensor([document])).pow(3).sum().backward()
    for (name, weight), wanted in zip(model.named_parameters(), together, strict=True):
        torch.testing.assert_close(weight.grad, wanted, rtol=0, atol=1e-10, msg=name)
        assert wanted.isfinite().all()
        assert wanted.any() or name.endswith("embedding.weight"), name


def test_nothing_depends_on_what_stands_in_the_padding() -> None:
    model = small_model()
    (source, lengths), (other, _) = batch(), batch(filling=3)
    again, _ = batch(filling=7)
    assert torch.equal(model(source, lengths), model(other, lengths))
    assert torch.equal(model(source, lengths), model(again, lengths))


def test_documents_do_not_see_each_other() -> None:
    model, (source, lengths) = small_model(), batch()
    order = torch.tensor([3, 0, 4, 1, 2])
    found, wanted = model(source[order], lengths[order]), model(source, lengths)[order]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    look = model.look(source[order], lengths[order])
    torch.testing.assert_close(look, model.look(source, lengths)[order], rtol=0, atol=1e-12)


def test_a_sentence_without_a_word_does_not_exist() -> None:
    model = small_model()
    with_holes, without = torch.tensor([[3, 4, 5, 3, 3, 6, 3]]), torch.tensor([[4, 5, 3, 6]])
    torch.testing.assert_close(model(with_holes), model(without), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kinds", KINDS)
def test_documents_without_a_word_are_answered_with_the_bias(kinds: dict[str, Any]) -> None:
    model = small_model(**kinds)
    source, lengths = batch(rows=((4, 5, 3), (3, 3), ()))
    logits = model(source, lengths)
    assert torch.equal(logits[1], model.output.bias)
    assert torch.equal(logits[2], model.output.bias)
    assert not model.look(source, lengths)[1:].any()
    logits.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    source, lengths = torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    assert torch.equal(model(source, lengths), model.output.bias.expand(2, -1))


def test_the_order_of_words_and_of_sentences_matters() -> None:
    model = small_model()
    wanted = model(torch.tensor([[4, 5, 3, 6, 7, 3]]))
    assert not torch.allclose(wanted, model(torch.tensor([[5, 4, 3, 6, 7, 3]])))
    assert not torch.allclose(wanted, model(torch.tensor([[6, 7, 3, 4, 5, 3]])))


def test_any_score_and_normalizer_can_be_passed_in_for_each_level_its_own() -> None:
    model = small_model(Attend(score=Additive(5, 5, 4), normalizer=sparsemax))
    source, lengths = batch()
    look = model.look(source, lengths)
    torch.testing.assert_close(look.sum(1), torch.ones(5, dtype=torch.float64))
    assert not torch.allclose(look, small_model().look(source, lengths))
    scores = [module for module in model.modules() if isinstance(module, Additive)]
    assert len(scores) == 2


def test_dropout_and_word_dropout_act_while_training_only() -> None:
    source, lengths = batch()
    for choices in ({"dropout": 0.4}, {"word_dropout": 0.4}):
        model = small_model(**choices).train()
        torch.manual_seed(1)
        one, other = model(source, lengths), model(source, lengths)
        torch.manual_seed(1)
        assert torch.equal(one, model(source, lengths))
        assert not torch.equal(one, other)
        model.eval()
        assert torch.equal(model(source, lengths), small_model()(source, lengths))
