"""Every task learns, is examined row by row, and leaves a predictor that comes back the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from regard.cli.assembly import load_predictor
from regard.data.encoding.examples import encode
from regard.data.encoding.token_stream import TokenStream
from regard.tasks.classify import macro_f1
from regard.tasks.language_model import LanguageModel
from regard.tasks.task import Answer, Predictor, Task, as_sample, better
from regard.tasks.translate import text_scores
from tests.tasks.small import TASKS, continuing, copying, labelling, learn, table

Made = Callable[..., Any]
TEXTS = {"translate": ["ab", "e", "deab"], "classify": ["bc", "eeea", "d"]}
TEXTS["language_model"] = ["abc", "d a", "c"]


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return TASKS[request.param](tmp_path)


def test_it_is_a_task_and_leaves_a_predictor(task: Any) -> None:
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)
    assert task.size("valid") > 0 and task.size("nothing") == 0


def test_every_example_of_an_epoch_is_planned_once(task: Any) -> None:
    part = task.part(0)
    rows = np.concatenate(task.plan(part.lengths, np.random.default_rng(0)))
    assert np.array_equal(np.sort(rows), np.arange(len(part.lengths)))


def test_the_loss_of_a_batch_is_the_sum_over_its_examples(task: Any) -> None:
    task.predictor.model.double()
    part, rows = task.part(0), np.array([3, 0, 7, 5])
    together = task.loss(part.batch(rows))
    alone = [task.loss(part.batch(row)) for row in rows[:, None]]
    torch.testing.assert_close(together, torch.stack(alone).sum(), rtol=1e-10, atol=1e-10)
    batches = [part.batch(row) for row in rows[:, None]]
    assert part.batch(rows).labels == sum(batch.labels for batch in batches)
    assert part.batch(rows).tokens == sum(batch.tokens for batch in batches)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_score_does_not_depend_on_the_order_or_the_processes_that_examine(
    task: Any, beams: int
) -> None:
    model = task.predictor.model.double().eval()
    assert not model.training
    rows = np.arange(task.size("valid"))
    whole = task.score("valid", task.examine("valid", rows, beams))
    merged: dict[int, dict[str, Any]] = {}
    for rank in (2, 0, 1):
        share = rows[rank::3][::-1]
        merged.update(zip(share.tolist(), task.examine("valid", share, beams), strict=True))
    again = task.score("valid", [merged[row] for row in rows.tolist()])
    assert whole.keys() == again.keys() and task.metric in whole
    assert again == pytest.approx(whole, rel=1e-5)
    assert task.examine("valid", rows[:0], beams) == []


def test_a_predictor_comes_back_the_same(task: Any, tmp_path: Path) -> None:
    predictor = task.predictor
    predictor.model.eval()
    folder = tmp_path / "best"
    folder.mkdir()
    predictor.save(folder)
    found = load_predictor(folder)
    assert isinstance(found, type(predictor)) and not found.model.training
    for beams in (1, 2):
        same(found.predict(TEXTS[task.name], beams), predictor.predict(TEXTS[task.name], beams))
    for each in ("longest", "labels", "block", "length", "temperature", "length_penalty"):
        assert getattr(found, each, None) == getattr(predictor, each, None)


def test_weights_given_to_save_are_the_ones_that_are_saved(task: Any, tmp_path: Path) -> None:
    weights = {name: torch.ones_like(t) for name, t in task.predictor.model.state_dict().items()}
    task.predictor.save(tmp_path, weights)
    for tensor in load_predictor(tmp_path).model.state_dict().values():
        assert (tensor == 1).all()


def test_texts_are_answered_each_for_itself_and_an_empty_one_is_refused(task: Any) -> None:
    predictor = task.predictor
    predictor.model.eval()
    texts = TEXTS[task.name]
    answers = predictor.predict(texts)
    assert [answer.text for answer in answers] == texts
    if task.name != "language_model":  # whose draws depend on the number of the text
        for text, answer in zip(texts, answers, strict=True):
            same(predictor.predict([text]), [answer])
    for answer in answers:
        assert answer.weights.shape[1] == len(answer.inputs)
        rows = answer.weights.sum(-1)
        torch.testing.assert_close(rows, torch.ones_like(rows))
    with pytest.raises(ValueError, match="text 2 of 2 is empty"):
        predictor.predict(["a", ""])
    assert predictor.predict([]) == []


def test_letters_that_were_never_seen_are_named(task: Any) -> None:
    (answer,) = task.predictor.predict(["a☃"])
    assert answer.unknown == ("☃",)


def test_an_answer_is_a_sample_of_plain_values() -> None:
    answer = Answer("t", (("x", -1.0), ("y", -2.0)), ("a",), ("b",), torch.tensor([[0.12345]]))
    sample = as_sample(answer, "z")
    assert sample == {
        "input": "t",
        "answer": "x",
        "wanted": "z",
        "inputs": ["a"],
        "outputs": ["b"],
        "weights": [[0.123]],
    }
    assert as_sample(Answer("t", (("x", -1.0),)), None)["weights"] is None


def test_better_is_lower_for_losses_and_higher_for_the_rest() -> None:
    for metric in ("loss", "perplexity", "bits_per_character"):
        assert better(metric, 1.0, 2.0) and not better(metric, 2.0, 1.0)
    for metric in ("bleu", "accuracy", "exact", "f1"):
        assert better(metric, 2.0, 1.0) and not better(metric, 1.0, 2.0)
    nan, inf = float("nan"), float("inf")
    assert not better("loss", 1.0, 1.0) and better("loss", 1.0, None)
    assert not better("loss", nan, None) and not better("bleu", nan, 1.0)
    assert not better("loss", inf, None) and not better("bleu", inf, 1.0)


def same(one: list[Answer], other: list[Answer]) -> None:
    """Fail unless the answers are equal, their numbers up to rounding."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert [text for text, _ in a.answers] == [text for text, _ in b.answers]
        assert [s for _, s in a.answers] == pytest.approx([s for _, s in b.answers], rel=1e-4)
        assert (a.text, a.inputs, a.outputs, a.unknown) == (b.text, b.inputs, b.outputs, b.unknown)
        torch.testing.assert_close(a.weights, b.weights)


@pytest.mark.parametrize(
    "network", ["transformer", pytest.param("rnnsearch", marks=pytest.mark.slow)]
)
def test_copying_is_learned(tmp_path: Path, network: str) -> None:
    task = copying(tmp_path, count=300, network=network, batch_tokens=200)
    learn(task, 300)
    for beams in (1, 4):
        records = task.examine("test", np.arange(task.size("test")), beams)
        wanted = task.texts["test"]["target"]
        right = [r["answer"] == w for r, w in zip(records, wanted, strict=True)]
        assert np.mean(right) >= 0.85
    assert task.score("test", records)["loss"] < 0.3
    assert task.predictor.predict(["bad"])[0].answers[0][0] == "BAD"


def test_labels_are_learned(tmp_path: Path) -> None:
    task = labelling(tmp_path, count=120)
    learn(task, 120)
    scores = task.score("test", task.examine("test", np.arange(task.size("test"))))
    assert scores["accuracy"] >= 0.95 and scores["f1"] >= 0.9 and scores["loss"] < 0.3
    (answer,) = task.predictor.predict(["bab"], beams=2)
    assert [label for label, _ in answer.answers] == ["with", "without"]
    assert np.exp([score for _, score in answer.answers]).sum() == pytest.approx(1.0, rel=1e-5)


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
    tokens = len(task.streams["valid"])
    task.characters = {"valid": 3 * tokens}
    scores = task.score("valid", [{"nats": 12.0, "labels": 4}, {"nats": 0.0, "labels": 2}])
    assert scores["loss"] == 2
    assert scores["bits_per_character"] == pytest.approx(2 / np.log(2) / 3)


def test_translate_scores_its_nats_over_labels_and_its_answers_by_sacrebleu(
    tmp_path: Path,
) -> None:
    task = copying(tmp_path)
    wanted = task.texts["valid"]["target"]
    answers = [*wanted[:20], "x", "Y", ""]
    lengths = task.examples["valid"].lengths[:, 1]
    records = [
        {"answer": answer, "nats": float(row), "labels": int(length) + 1}
        for row, (answer, length) in enumerate(zip(answers, lengths, strict=True))
    ]
    scores = task.score("valid", records)
    assert scores["loss"] == pytest.approx(sum(range(23)) / (lengths.sum() + 23))
    assert scores["perplexity"] == pytest.approx(np.exp(scores["loss"]))
    for name, value in text_scores(answers, wanted).items():
        assert scores[name] == value


def test_the_records_of_translate_are_what_its_loss_sums(tmp_path: Path) -> None:
    task = copying(tmp_path)
    task.predictor.model.eval()
    records = task.examine("train", np.arange(60))
    batch = task.part(0).batch(np.arange(60))
    assert sum(r["labels"] for r in records) == batch.labels
    assert sum(r["nats"] for r in records) == pytest.approx(task.loss(batch).item(), rel=1e-5)


def test_text_scores_are_those_of_sacrebleu_itself() -> None:
    import sacrebleu

    answers = ["The cat sat on a mat .", "a dog barks at me", "nothing"]
    wanted = ["The cat sat on the mat.", "A dog barks at the moon", "Something else"]
    scores = text_scores(answers, wanted)
    assert scores == {
        "bleu": round(sacrebleu.corpus_bleu(answers, [wanted]).score, 4),
        "chrf": round(sacrebleu.corpus_chrf(answers, [wanted]).score, 4),
        "bleu_lowercase": round(sacrebleu.corpus_bleu(answers, [wanted], lowercase=True).score, 4),
    }
    assert 0 < scores["bleu"] < scores["bleu_lowercase"] < 100


def test_macro_f1_is_the_mean_of_each_labels_own() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        answers, wanted = rng.integers(0, 5, 12), rng.integers(0, 4, 12)
        each = []
        for label in sorted({*answers.tolist(), *wanted.tolist()}):
            hits = sum(a == w == label for a, w in zip(answers, wanted, strict=True))
            said, were = sum(answers == label), sum(wanted == label)
            precision, recall = (hits / n if n else 0.0 for n in (said, were))
            both = precision + recall
            each.append(2 * precision * recall / both if both else 0.0)
        assert macro_f1(answers, wanted) == pytest.approx(np.mean(each))


def test_the_loss_of_classify_is_the_surprise_at_the_labels(tmp_path: Path) -> None:
    task = labelling(tmp_path)
    task.predictor.model.double().eval()
    batch = task.part(0).batch(np.arange(9))
    logits = task.predictor.model(batch.source, batch.lengths).detach().numpy()
    shifted = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -shifted[np.arange(9), batch.label.numpy()].sum()
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-5)
    records = task.examine("train", np.arange(9))
    assert sum(r["nats"] for r in records) == pytest.approx(wanted, rel=1e-5)
    assert [r["answer"] for r in records] == logits.argmax(-1).tolist()


def test_smoothing_spreads_a_share_over_all_labels(tmp_path: Path) -> None:
    task = labelling(tmp_path, smoothing=0.2)
    task.predictor.model.eval()
    batch = task.part(0).batch(np.arange(9))
    scores = log_softmax(task.predictor.model(batch.source, batch.lengths), -1)
    chosen = scores.gather(1, batch.label[:, None]).sum()
    torch.testing.assert_close(task.loss(batch), -0.8 * chosen - 0.1 * scores.sum())


def test_a_text_without_a_label_neither_teaches_nor_counts(tmp_path: Path) -> None:
    task = labelling(tmp_path)
    task.predictor.model.eval()
    before = task.loss(task.part(0).batch(np.array([1])))
    for split in ("train", "valid"):
        task.examples[split].labels[0] = -1
    batch = task.part(0).batch(np.array([0, 1]))
    assert batch.labels == 1
    torch.testing.assert_close(task.loss(batch), before)
    assert task.loss(task.part(0).batch(np.array([0]))).item() == 0
    rows = np.arange(task.size("valid"))
    some = task.score("valid", task.examine("valid", rows)[1:])
    assert task.score("valid", task.examine("valid", rows)) == some
    assert task.score("valid", task.examine("valid", rows[:1]))["accuracy"] == 0


def test_a_long_text_is_read_up_to_where_it_was_cut_in_training(tmp_path: Path) -> None:
    predictor = labelling(tmp_path).predictor
    predictor.model.eval()
    (long,), (cut,) = predictor.predict(["b" * 8 + "a"]), predictor.predict(["b" * 8])
    assert long.inputs == cut.inputs and long.answers == cut.answers


def test_the_loss_of_a_language_model_is_the_surprise_at_each_next_token(tmp_path: Path) -> None:
    task = continuing(tmp_path)
    model = task.predictor.model.double().eval()
    batch = task.part(0).batch(np.arange(4))
    assert batch.text.shape == (4, 9) and batch.labels == batch.tokens == batch.cells == 32
    logits = model(batch.text[:, :-1]).detach().numpy()
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -np.take_along_axis(scores, batch.text[:, 1:, None].numpy(), -1).sum()
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-10)
    text = task.streams["valid"].values
    records = task.examine("valid", np.arange(task.size("valid")))
    assert [r["labels"] for r in records] == [8] * ((len(text) - 1) // 8)


def test_every_epoch_of_a_language_model_begins_elsewhere_and_knows_where(tmp_path: Path) -> None:
    task = continuing(tmp_path, period="abcdefghijklm ")
    starts = [task.part(epoch).starts for epoch in range(12)]
    assert len({int(each[0]) for each in starts}) > 3
    assert all((np.diff(each) == 8).all() and each[-1] + 9 <= 60 * 14 for each in starts)
    assert np.array_equal(task.part(3).starts, starts[3])


def test_a_text_shorter_than_a_block_is_refused_with_both_numbers(tmp_path: Path) -> None:
    predictor = continuing(tmp_path).predictor
    LanguageModel(predictor, {"valid": TokenStream(np.arange(4, 13) % 4)}, {"valid": 9})
    with pytest.raises(ValueError, match="the valid text has 8 tokens, a block takes 9"):
        LanguageModel(predictor, {"valid": TokenStream(np.arange(8))}, {"valid": 8})


def test_the_draws_of_a_narrator_can_be_repeated(tmp_path: Path) -> None:
    predictor = continuing(tmp_path).predictor
    predictor.model.eval()
    hot = type(predictor)(predictor.model, predictor.tokenizer, 8, 6, temperature=1.0)
    one, other = hot.predict(["ab", "ab"]), hot.predict(["ab", "ab"])
    assert [a.answers for a in one] == [a.answers for a in other]
    (several,) = hot.predict(["ab"], beams=4)
    scores = [score for _, score in several.answers]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True)
    assert one[0].answers != one[1].answers


def test_an_answer_of_a_narrator_may_outgrow_its_block(tmp_path: Path) -> None:
    predictor = continuing(tmp_path).predictor
    long = type(predictor)(predictor.model, predictor.tokenizer, 8, 30)
    (answer,) = long.predict(["abcd abcd abcd"])
    assert answer.weights.shape == (8, 8) and len(answer.inputs) == 8


def test_an_unknown_label_is_refused_by_its_name(tmp_path: Path) -> None:
    predictor = labelling(tmp_path).predictor
    rows = table(text=["a"], label=["perhaps"])
    with pytest.raises(ValueError, match="'perhaps' is not among the 2 that are known: with"):
        encode(rows, {"text": predictor.tokenizer, "label": predictor.labels}, tmp_path / "new")
