"""Translation learns pairs, counts what it claims to count, and reads as it has learned to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from torch import Tensor, nn

from regard._io.extra import extra
from regard.data.encoding.token_settings import Characters
from regard.data.feeding.streamed import Streamed
from regard.sequences import Sequences
from regard.tasks.seq2seq import Seq2SeqBatch
from regard.tasks.translate import Translate, TranslateSettings, Translator
from regard.tasks.translate.coder import TextPairs
from regard.tasks.translate.metrics import text_scores
from tests.tasks.rows import learn, table
from tests.tasks.small import copying


@pytest.mark.parametrize(
    "network", ["transformer", pytest.param("rnnsearch", marks=pytest.mark.slow)]
)
def test_copying_is_learned(tmp_path: Path, network: str) -> None:
    task = copying(tmp_path, count=300, network=network, batch_tokens=200)
    learn(task, 300)
    for num_answers in (1, 4):
        records = task.examine("test", np.arange(task.size("test")), num_answers)
        targets = task.data.texts["test"]["target"]
        right = [r["answer"] == target for r, target in zip(records, targets, strict=True)]
        assert np.mean(right) >= 0.85
    assert task.score("test", records)["loss"] < 0.3
    assert task.predictor.predict(["bad"])[0].answers[0][0] == "BAD"


def test_scores_are_nll_over_targets_and_the_answers_by_sacrebleu(tmp_path: Path) -> None:
    task = copying(tmp_path)
    targets = task.data.texts["valid"]["target"]
    answers = [*targets[:20], "x", "Y", ""]
    lengths = task.data.examples["valid"].lengths[:, 1]
    records = [
        {"answer": answer, "nll": float(row), "targets": int(length) + 1}
        for row, (answer, length) in enumerate(zip(answers, lengths, strict=True))
    ]
    scores = task.score("valid", records)
    assert scores["loss"] == pytest.approx(sum(range(23)) / (lengths.sum() + 23))
    assert scores["perplexity"] == pytest.approx(np.exp(scores["loss"]))
    for name, value in text_scores(answers, targets).items():
        assert scores[name] == value


def test_records_are_what_the_loss_sums_and_what_the_predictor_writes(tmp_path: Path) -> None:
    task = copying(tmp_path)
    task.model.eval()
    records = task.examine("train", np.arange(60))
    batch = task.part(0).batch(np.arange(60))
    assert isinstance(batch, Seq2SeqBatch)
    assert sum(r["targets"] for r in records) == batch.num_targets
    assert sum(r["nll"] for r in records) == pytest.approx(task.loss(batch).item(), rel=1e-5)
    answers = task.predictor.predict(task.data.texts["train"]["source"])
    assert [r["answer"] for r in records] == [answer.best for answer in answers]


def test_text_scores_are_those_of_sacrebleu_itself() -> None:
    answers = ["The cat sat on a mat .", "a dog barks at me", "nothing"]
    targets = ["The cat sat on the mat.", "A dog barks at the moon", "Something else"]
    scores = text_scores(answers, targets)
    lowercase = sacrebleu.corpus_bleu(answers, [targets], lowercase=True).score
    assert scores == {
        "bleu": round(sacrebleu.corpus_bleu(answers, [targets]).score, 4),
        "chrf": round(sacrebleu.corpus_chrf(answers, [targets]).score, 4),
        "bleu_lowercase": round(lowercase, 4),
    }
    assert 0 < scores["bleu"] < scores["bleu_lowercase"] < 100


def test_several_answers_are_those_of_a_beam_as_wide_ranked_with_the_penalty(
    tmp_path: Path,
) -> None:
    predictor = copying(tmp_path).predictor
    predictor.model.eval()
    orders = {}
    for penalty in (0.0, 3.0):
        coder = TextPairs(predictor.coder.source, predictor.coder.target, 8, 5, penalty)
        (answer,) = Translator(predictor.model, coder).predict(["abc"], num_answers=4)
        assert 1 < len(answer.answers) <= 4
        orders[penalty] = [len(text) for text, _ in answer.answers]
    assert orders[0.0][0] <= orders[3.0][0]


def test_only_training_leaves_out_what_is_too_long(tmp_path: Path) -> None:
    rows = {"source": ["ab", "a" * 9, "c"], "target": ["AB", "A", "C" * 9]}
    coder = TextPairs(*(copying(tmp_path).coder.__dict__[k] for k in ("source", "target")), 8, 5)
    splits = {"train": table(**rows), "test": table(**rows)}
    found = coder.encode(splits, tmp_path / "cut")
    assert found["train"].rows.tolist() == [0] and found["train"].dropped == 2
    assert found["test"].rows.tolist() == [0, 1, 2]
    assert coder.encode_rows([{"source": "ab", "target": "AB"}]).dropped == 0
    with pytest.raises(ValueError, match="has at most 8 tokens"):
        coder.encode_rows([{"source": "a" * 9, "target": "A"}])


@pytest.mark.parametrize("joint", [True, False])
def test_tokens_are_learned_of_both_languages_together_or_of_each(
    joint: bool, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("source\ttarget\n" + "ab ab\tXY\nba\tYX XX\n" * 10)
    settings = TranslateSettings(tokens=Characters(), joint=joint, longest=20)
    (tmp_path / "encoded").mkdir()
    data = Translate.prepare(str(path), settings, tmp_path / "encoded")
    coder = data.coder
    assert (coder.source is coder.target) is coder.sizes["joint_vocab"] is joint
    assert coder.source.unknown("XY") == ([] if joint else ["X", "Y"])
    assert len(coder.target) == (9 if joint else 7)
    assert coder.sizes["max_source_length"] == 20 and coder.sizes["max_length"] == 71
    files = {each.name for each in (tmp_path / "encoded").iterdir() if each.is_file()}
    assert ("target_tokenizer.json" in files) is not joint
    again = TextPairs.load(tmp_path / "encoded", coder.entries())
    assert again.entries() == coder.entries() and (again.source is again.target) is joint


def test_a_folder_of_the_first_version_has_the_usual_settings(tmp_path: Path) -> None:
    coder = copying(tmp_path / "data").coder
    coder.save(tmp_path)
    old = TextPairs.load(tmp_path, {"task": "translate", "length_penalty": 0.7, "score": "dot"})
    assert (old.longest, old.extra_length, old.length_penalty) == (None, 50, 0.7)
    assert old.sizes["max_length"] is None


class Bigrams(nn.Module):
    """A network of anybody's: no configuration, no attention."""

    def __init__(self, target_vocab: int, **_: Any) -> None:
        super().__init__()
        self.next = nn.Embedding(target_vocab, target_vocab)

    def forward(self, source: Sequences, target: Tensor) -> Tensor:
        return self.next(target)

    def encode(self, source: Sequences) -> Tensor:
        return source.ids

    def start(self, encoded: Tensor, beams: int) -> Tensor:
        return torch.zeros(len(encoded) * beams)

    def step(self, encoded: Tensor, state: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        return self.next(token), state


def test_a_network_of_ones_own_is_trained_asked_saved_and_read_again(tmp_path: Path) -> None:
    data = copying(tmp_path / "data").data
    task = Translate(data, Bigrams, TranslateSettings(batch_tokens=100))
    before = task.loss(task.batch("train", np.arange(60)))
    learn(task, 30)
    assert task.loss(task.batch("train", np.arange(60))) < before
    (answer,) = task.predictor.predict(["abc"], num_answers=2)
    assert answer.weights is None and len(answer.answers) == 2
    assert task.examine("valid", np.arange(3))[0]["targets"] > 1
    folder = tmp_path / "best"
    folder.mkdir()
    task.predictor.save(folder)
    again = Translator.load(folder, task.coder.entries(), model=Bigrams(len(task.coder.target)))
    assert again.predict(["abc"], 2)[0].answers == answer.answers


def test_a_stream_is_trained_on_without_the_rest(tmp_path: Path) -> None:
    task = copying(tmp_path)
    rows = [{"source": "ab", "target": "AB"}, {"source": "c", "target": "C"}]
    stream = extra("datasets").Dataset.from_list(rows).to_iterable_dataset()
    task.stream = Streamed(stream, 2, task.stream_part)
    part = task.part(0)
    assert sorted(part.lengths[:, 0].tolist()) == [1, 2]
    assert task.loss(part.batch(np.arange(2))).isfinite()


def test_a_trained_translator_can_be_examined_on_other_texts(tmp_path: Path) -> None:
    task = copying(tmp_path)
    task.model.eval()
    splits = {"test": table(source=["ab", "a" * 12], target=["AB", "A" * 12])}
    other = Translate.of(task.predictor, splits, tmp_path / "other", TranslateSettings())
    records = other.examine("test", np.arange(2))
    assert [r["targets"] for r in records] == [3, 13]
    assert other.score("test", records).keys() >= {"loss", "perplexity", "bleu", "chrf"}


def test_an_empty_text_is_refused_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="text 2 of 2 is empty"):
        copying(tmp_path).predictor.predict(["a", " \n"])
