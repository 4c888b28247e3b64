"""Captions of pictures: each picture once, references together, and where words looked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard._io.extra import extra
from regard.data.encoding.tokenizer import Tokenizer
from regard.layers import CoverageLoss
from regard.models.captioner import Captioner, CaptionerConfig
from regard.models.protocols import StartsSoft
from regard.run.training import Options
from regard.tasks.caption import Caption, CaptionSettings
from regard.tasks.caption.loss import caption_loss, caption_nll
from regard.tasks.caption.metrics import caption_scores, same_words
from regard.tasks.caption.pointers import pointers_of, points_right
from tests.data.any_task import read_as as read
from tests.pictures import png
from tests.tables.corpora import corpus_of
from tests.tables.tasks import ROWS

QUIET = Options(progress=False)


def task_with(rows: list[dict[str, Any]] | None = None, **settings: Any) -> Any:
    row = ROWS["caption"]
    if rows is None:
        return row.made(Path(), row.made_settings(**settings))
    known = row.made_settings(**settings)
    return Caption(corpus_of(Caption.schema, rows), row.made_network, known)


def task_of_files(folder: Path) -> Any:
    """The task whose captions are in a table beside the pictures."""
    row = ROWS["caption"]
    corpus = read(str(row.written(folder)), [Caption.schema], "caption")
    return Caption(corpus, row.made_network, row.made_settings())


def test_a_picture_is_kept_once_and_asked_once(tmp_path: Path) -> None:
    task = task_of_files(tmp_path)
    train = task.data.examples["train"]
    assert len(train.pictures) * 2 == len(train)
    assert (np.bincount(train.which) == 2).all()
    valid, asked = task.data.examples["valid"], []
    write = task.predictor.write
    task.predictor.write = lambda images, count: asked.append(len(images)) or write(images, count)
    records = task.examine("valid", np.arange(len(valid)))
    assert sum(asked) <= len(valid.pictures) + len(asked)
    by_picture: dict[int, set[str]] = {}
    for record in records:
        by_picture.setdefault(record["picture"], set()).add(record["answer"])
    assert all(len(answers) == 1 for answers in by_picture.values())
    assert {*by_picture} == {*range(len(valid.pictures))}


def test_captions_of_a_picture_are_held_out_together(tmp_path: Path) -> None:
    splits = task_of_files(tmp_path).data.texts
    names = {split: set(splits[split]["image"]) for split in splits}
    assert names["valid"] and not names["valid"] & names["train"]


def test_the_loss_is_the_sum_over_tokens_and_the_gradient_knows_the_penalty() -> None:
    task = task_with(batch_size=6)
    model, batch = task.model.train(), task.batch("train", np.arange(6))
    torch.manual_seed(0)
    loss = caption_loss(model, batch)
    features, aux = model.features_sampled(batch.images, batch.written, batch.target.lengths)
    assert isinstance(aux, CoverageLoss)
    nll = torch.zeros(6)
    logits = model.output(features).log_softmax(-1)
    for row, count in enumerate(batch.target.counts.tolist()):
        for place in range(count):
            nll[row] = nll[row] - logits[row, place, batch.target.ids[row, place]]
    torch.testing.assert_close(loss, nll.sum())
    wanted = (nll + (1 - aux.looked).square().sum(1)).sum()
    leaves = list(model.parameters())
    both = (torch.autograd.grad(each, leaves, allow_unused=True) for each in (loss, wanted))
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    model.eval()
    assert caption_nll(model, batch).shape == (6,) and not caption_nll(model, batch).requires_grad


def test_scores_compare_an_answer_with_all_captions_of_its_picture() -> None:
    base = {"nll": 4.0, "targets": 2, "right": 0, "boxes": 0}
    records = [
        {**base, "picture": 0, "answer": "a red cat on a mat"},
        {**base, "picture": 0, "answer": "a red cat on a mat"},
        {**base, "picture": 1, "answer": "two dogs run and bark"},
    ]
    captions = ["somebody's pet at home", "a red cat on a mat", "two dogs run and sleep"]
    found = caption_scores(records, captions)
    assert found["loss"] == 2.0 and "pointing" not in found
    assert found["word_accuracy"] == pytest.approx((1 + 4 / 5) / 2)
    bleu = extra("sacrebleu").corpus_bleu(
        ["a red cat on a mat", "two dogs run and bark"],
        [["somebody's pet at home", "two dogs run and sleep"], ["a red cat on a mat", None]],
    )
    assert found["bleu"] == pytest.approx(bleu.score, abs=1e-4)
    assert same_words("", "") == 0.0


def test_boxes_are_those_of_the_middle_that_is_read() -> None:
    tokenizer = Tokenizer.train(["a cat near a cat , a big dog"], "words")
    boxes = "cat 0 0 0.5 1\tcat 0.5 0 1 1\tbig dog 0.25 0.5 0.75 1"
    found = pointers_of(boxes, "a cat near a cat , a big dog", 3, (8, 16), 8, tokenizer)
    assert found[:, :3].tolist() == [[3, 1, 2], [3, 4, 5], [3, 7, 9]]
    np.testing.assert_allclose(found[:, 3:], [[-0.5, 0, 0.5, 1], [0.5, 0, 1.5, 1], [0, 0.5, 1, 1]])
    left = pointers_of("cat 0 0 0.2 1\tcat 0.5 0 1 1", "a cat near a cat", 0, (8, 16), 8, tokenizer)
    assert left[:, 1].tolist() == [4], "nothing of the first is read"
    assert not len(pointers_of("cat 0 0 1 1", "a cat", 0, (8, 24), 8, tokenizer))


def test_the_place_that_was_looked_at_most_over_a_word_counts() -> None:
    maps = np.zeros((3, 2, 2))
    maps[1, 0, 1], maps[2, 1, 0] = 0.6, 0.9
    upper, lower = (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1)
    assert points_right(maps, np.array([0, 1, 2, *upper]))
    assert not points_right(maps, np.array([0, 1, 3, *upper]))
    assert points_right(maps, np.array([0, 1, 3, *lower]))


class Looker(nn.Module):
    """Says "left" or "right" and looks at the left of every picture."""

    def __init__(self, target_vocab: int, **_: Any) -> None:
        super().__init__()
        self.next = nn.Embedding(target_vocab, target_vocab)

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        return self.next(target)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def start(self, encoded: Tensor, beams: int) -> Tensor:
        return torch.zeros(len(encoded) * beams)

    def step(self, encoded: Tensor, state: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        return self.next(token), state

    def attention_weights(self, images: Tensor, target: Tensor) -> Tensor:
        return torch.tensor([0.9, 0.1]).expand(*target.shape, 1, 2)


def test_pointing_is_the_share_of_words_that_looked_where_their_things_are() -> None:
    rows = [
        {
            "image": png((9 * n % 256, n, 200), (8, 8), f"{n}.png"),
            "caption": "left then right",
            "boxes": "left 0 0 0.5 1" if n % 4 else "left 0 0 0.5 1\tright 0.5 0 1 1",
        }
        for n in range(200)
    ]
    settings = CaptionSettings(size=8, max_tokens=4)
    task = Caption(corpus_of(Caption.schema, rows), Looker, settings)
    records = task.examine("valid", np.arange(task.size("valid")))
    words = [len(row.split("\t")) for row in task.data.texts["valid"]["boxes"]]
    scores = task.score("valid", records)
    assert [record["boxes"] for record in records] == words and max(words) == 2
    assert scores["pointing"] == pytest.approx(len(words) / sum(words))


def task_of(attention: str, **settings: Any) -> Any:
    """The task of a captioner that sees by this attention."""
    row, given = ROWS["caption"], {"attention": attention, "embed_dim": 4, "hidden_dim": 5}
    config = {"shape": "cifar(depth=8, width=2)", **given}

    def made(target_vocab: int, **_: Any) -> Captioner:
        entries = {"target_vocab": target_vocab, **config}
        return Captioner(CaptionerConfig.from_entries(entries))

    return Caption(row.made(Path(), row.made_settings()).data, made, row.made_settings(**settings))


def test_a_soft_start_lasts_for_its_epochs_of_training_alone(tmp_path: Path) -> None:
    task = task_of("hard(attention_dim=3)", soft_epochs=1.5)
    model, count = task.model.train(), task.size("train")
    assert isinstance(task.model, StartsSoft)
    assert float(model.soft) == round(1.5 * count)
    for left in (round(1.5 * count) - count, 0):
        for rows in task.plan(task.part(0).lengths, np.random.default_rng(0)):
            task.loss(task.part(0).batch(rows))
        assert float(model.soft) == left
    model.start_soft(5)
    model.eval()
    task.loss(task.part(0).batch(np.arange(3)))
    assert float(model.soft) == 5
    settings = CaptionSettings(size=6, soft_epochs=9.0)
    model.learned(5)
    again = Caption.of(task.predictor, task.data.texts, tmp_path, settings)
    assert again.size("train") == count and float(model.soft) == 0


def test_a_soft_start_changes_nothing_of_soft_attention_and_needs_a_network_that_has_one() -> None:
    assert "soft" not in task_of("soft(attention_dim=3)", soft_epochs=2.0).model.state_dict()
    data = task_with().data
    with pytest.raises(ValueError, match="soft_epochs is 2, but Looker has no attention that is"):
        Caption(data, Looker, CaptionSettings(size=6, soft_epochs=2.0))


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ("cat 0 0 1", "row 1: 'cat 0 0 1' is no box.*dog 0.5 0 1 0.5"),
        ("cat 0.5 0 0.5 1", "is no box"),
        ("cat 0 0 1 1.5", "from 0 to 1"),
        ("dog 0 0 1 1", "the caption 'a cat' has no 'dog' behind its first 0 characters"),
        ("cat 0 0 1 1\tcat 0 0 1 1", "no 'cat' behind its first 5 characters"),
    ],
)
def test_what_is_no_box_is_refused(boxes: str, said: str) -> None:
    rows = [
        {"image": png((n, 0, 0), name=f"{n}.png"), "caption": "a cat", "boxes": boxes}
        for n in range(40)
    ]
    with pytest.raises(ValueError, match=said):
        task_with(rows)


def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    task = task_with()
    splits = {"valid": task.data.texts["valid"]}
    task.coder.encode(splits, tmp_path)
    again = task.coder.opened(splits, tmp_path)["valid"]
    assert len(again) == len(task.data.examples["valid"])
    (tmp_path / "valid" / "which.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match="holds no captions of pictures"):
        task.coder.opened(splits, tmp_path)


def test_several_captions_have_probabilities_and_the_best_its_maps() -> None:
    task = task_with()
    picture = np.zeros((9, 8, 3), dtype=np.uint8)
    (found,) = task.predictor.predict([picture], num_answers=3)
    scores = [score for _, score in found.answers]
    assert len(scores) == 3
    assert found.weights is not None and found.weights.shape == (len(found.outputs), 4)
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(len(found.outputs)))
    ((tokens, maps),) = task.predictor.maps([picture])
    assert maps.shape == (len(tokens), 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_the_embedded_default_says_what_is_there_and_looks_at_it(
    tmp_path: Path, attention: str
) -> None:
    given: dict[str, Any] = {"recipe": "captioner", "attention": attention}
    run = regard.train(out=tmp_path / "run", options=QUIET, **given)
    scores = run.metrics["test"]
    assert scores["word_accuracy"] >= 0.9 and scores["pointing"] >= 0.9
    assert scores["bleu"] >= 80
