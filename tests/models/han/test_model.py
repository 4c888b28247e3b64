"""The hierarchical attention network is the one of the paper; padding does not exist for it."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.han import HAN
from regard.normalizers import sparsemax
from regard.scores import Additive
from regard.sequences import Sequences
from tests.models.han.small import DOCUMENTS, POOLINGS, SIZES, batch, config, small_model


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

    kinds = (model.config.word_pooling.tag, model.config.sentence_pooling.tag)
    cut: list[list[int]] = [[]]
    for token in tokens:
        if token == 3:
            cut.append([])
        else:
            cut[-1].append(token)
    found = [
        summed(
            "0", model.config.word_pooling.tag, [w["embedding.weight"][token] for token in sentence]
        )
        for sentence in cut
        if sentence
    ]
    vector, of_sentences = summed("1", kinds[1], [s for s, _ in found])
    logits = w["output.weight"] @ vector + w["output.bias"]
    counts, words = np.zeros(len(tokens)), [i for i, token in enumerate(tokens) if token != 3]
    counts[words] = np.concatenate([b * a for (_, a), b in zip(found, of_sentences, strict=True)])
    return logits, counts, [a for _, a in found], of_sentences


@pytest.mark.parametrize("poolings", POOLINGS)
def test_logits_and_weights_are_those_of_the_paper(poolings: dict[str, Any]) -> None:
    model = small_model(**poolings)
    logits, weights = model(batch()).detach(), model.attention_weights(batch())
    for row, document in enumerate(DOCUMENTS):
        wanted, counted, _, _ = by_the_book(model, document)
        np.testing.assert_allclose(logits[row], wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(weights[row, : len(document)], counted, rtol=0, atol=1e-12)
        assert not weights[row, len(document) :].any()
    torch.testing.assert_close(weights.sum(1), torch.ones(5, dtype=torch.float64))


def test_both_levels_can_be_seen() -> None:
    model = small_model()
    of_words, of_sentences = model.weights_by_level(batch())
    _, _, words, sentences = by_the_book(model, DOCUMENTS[0])
    np.testing.assert_allclose(of_words[0, [0, 1, 2, 4]], [*words[0], *words[1]], atol=1e-12)
    np.testing.assert_allclose(of_sentences[0, [0, 4, 10]], sentences, atol=1e-12)
    ends = batch().ids == 3
    assert not of_words[ends].any()
    assert not of_sentences[ends].any()


def test_a_sentence_without_a_word_does_not_exist() -> None:
    model = small_model()
    with_holes, without = Sequences.of([[3, 4, 5, 3, 3, 6, 3]]), Sequences.of([[4, 5, 3, 6]])
    torch.testing.assert_close(model(with_holes), model(without), rtol=0, atol=1e-12)


def test_the_data_says_which_token_ends_a_sentence() -> None:
    one, other = small_model(end=9), small_model()
    with torch.no_grad():
        other.embedding.weight[9] = one.embedding.weight[3]
    found = one(Sequences.of([[4, 3, 5, 9, 6]]))
    torch.testing.assert_close(found, other(Sequences.of([[4, 9, 5, 3, 6]])), rtol=0, atol=1e-12)
    assert not torch.allclose(found, other(Sequences.of([[4, 3, 5, 9, 6]])))


@pytest.mark.parametrize("poolings", POOLINGS)
def test_documents_without_a_word_are_answered_with_the_bias(poolings: dict[str, Any]) -> None:
    model = small_model(**poolings)
    some = batch(rows=((4, 5, 3), (3, 3), ()))
    logits = model(some)
    assert torch.equal(logits[1], model.output.bias)
    assert torch.equal(logits[2], model.output.bias)
    assert not model.attention_weights(some)[1:].any()
    logits.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert torch.equal(model(batch(rows=((), ()))), model.output.bias.expand(2, -1))


def test_the_order_of_words_and_of_sentences_matters() -> None:
    model = small_model()
    wanted = model(Sequences.of([[4, 5, 3, 6, 7, 3]]))
    assert not torch.allclose(wanted, model(Sequences.of([[5, 4, 3, 6, 7, 3]])))
    assert not torch.allclose(wanted, model(Sequences.of([[6, 7, 3, 4, 5, 3]])))


def test_each_level_has_its_own_parts_and_one_that_is_given_is_shared() -> None:
    named = "attention(score=additive, normalizer=sparsemax, attention_dim=5)"
    own = small_model(word_pooling=named, sentence_pooling=named)
    shared = small_model(Attend(score=Additive(5, 5, 5), normalizer=sparsemax))
    for model, count in ((own, 2), (shared, 1)):
        weights = model.attention_weights(batch())
        torch.testing.assert_close(weights.sum(1), torch.ones(5, dtype=torch.float64))
        assert not torch.allclose(weights, small_model().attention_weights(batch()))
        assert len({m for m in model.modules() if isinstance(m, Additive)}) == count
    assert own.config == shared.config


def test_one_level_can_have_other_parts_than_the_other() -> None:
    model = small_model(word_pooling="attention(normalizer=sparsemax, attention_dim=5)")
    assert (model.weights_by_level(batch())[0] == 0)[batch().ids > 3].any()
    assert not (small_model().weights_by_level(batch())[0] == 0)[batch().ids > 3].any()


def test_parts_are_refused_where_nothing_attends() -> None:
    with pytest.raises(ValueError, match="both poolings are mean, so nothing attends"):
        HAN(config(**POOLINGS[3]), Attend())
    assert HAN(config(**POOLINGS[1]), Attend()).config.sentence_pooling.score == "scaled_dot"


def test_dropout_and_word_dropout_act_while_training_only() -> None:
    for choices in ({"dropout": 0.4}, {"word_dropout": 0.4}):
        model = small_model(**choices).train()
        torch.manual_seed(1)
        one, other = model(batch()), model(batch())
        torch.manual_seed(1)
        assert torch.equal(one, model(batch()))
        assert not torch.equal(one, other)
        model.eval()
        assert torch.equal(model(batch()), small_model()(batch()))
