"""Questions about stories: what is learned from, what counts, and what is answered."""

from pathlib import Path

import numpy as np
import pytest
import torch

from regard.data.encoding.examples import encode
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.story_words import SupportCoder, answer_word, learn_words, told, words
from regard.data.synthetic.stories import rows
from regard.models.memory import load
from regard.tasks.answer import coders
from regard.tasks.answerer import VOCABULARY, Answerer, load_vocabulary
from regard.tasks.exchange import read_about
from regard.tasks.task import Batch, Predictor, Task
from tests.tasks.stories import asking, table

STORY = "Ada went to the attic.\nBoris went to the market."


def test_it_is_a_task_with_batches_and_a_predictor(tmp_path: Path) -> None:
    task = asking(tmp_path)
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)
    batch = task.part(0).batch(np.arange(5))
    assert isinstance(batch, Batch) and batch.labels == 5
    assert batch.tokens < batch.cells and batch.to(torch.device("cpu")).labels == 5
    assert task.size("valid") == 20 and task.size("test") == 0
    text, wanted = task.fixed[0]
    assert text.endswith("?") and text.count("\n") == 2 and wanted in text


def test_every_question_is_planned_once_in_an_order_of_the_seed(tmp_path: Path) -> None:
    task = asking(tmp_path)
    plans = [task.plan(task.part(0).lengths, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert sorted(np.concatenate(plans[0])) == list(range(60))
    assert [len(part) for part in plans[0]] == [32, 28]
    same = [all(map(np.array_equal, plans[0], other)) for other in plans[1:]]
    assert same == [True, False]


def test_a_batch_is_the_words_of_the_sentences(tmp_path: Path) -> None:
    task = asking(tmp_path)
    vocabulary = task.predictor.vocabulary
    batch = task.part(0).batch(np.array([4, 0]))
    for row, number in enumerate((4, 0)):
        text = task.examples["train"].rows[number]
        story, question, answer, _ = list(rows("train", 60, 100))[text]
        lines = story.split("\n")
        assert batch.lengths is not None and batch.lengths[row] == len(lines)
        for line, numbers in zip(lines, batch.story[row], strict=False):
            assert vocabulary.decode([n for n in numbers.tolist() if n]) == words(line)
        assert vocabulary.decode([n for n in batch.question[row].tolist() if n]) == words(question)
        assert vocabulary.tokens[batch.label[row]] == answer.lower()


def test_the_loss_is_the_surprise_at_the_answers(tmp_path: Path) -> None:
    task = asking(tmp_path)
    model = task.predictor.model.double().eval()
    batch = task.part(0).batch(np.arange(9))
    logits = model(batch.story, batch.question, batch.lengths).detach().numpy()
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -scores[np.arange(9), batch.label.numpy()].sum()
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-6)
    records = task.examine("train", np.arange(9))
    assert sum(r["nats"] for r in records) == pytest.approx(wanted, rel=1e-5)
    assert [r["answer"] for r in records] == logits.argmax(-1).tolist()


def test_an_unknown_answer_teaches_nothing_and_counts_as_wrong(tmp_path: Path) -> None:
    task = asking(tmp_path)
    task.predictor.model.eval()
    unknown = [(STORY, "Where is Ada?", "moon", "1"), (STORY, "Where is Ada?", "attic", "")]
    examples = encode(table(unknown), coders(task.predictor.vocabulary), tmp_path / "unknown")
    task.examples = {"train": examples, "valid": examples}
    batch = task.part(0).batch(np.array([0, 1]))
    assert batch.labels == 1 and batch.label[0] == -1
    torch.testing.assert_close(
        task.loss(batch), task.loss(task.part(0).batch(np.array([1]))), rtol=1e-6, atol=1e-6
    )
    assert task.loss(task.part(0).batch(np.array([0]))).item() == 0
    records = task.examine("valid", np.arange(2))
    records[1]["answer"] = records[1]["wanted"]
    scores = task.score("valid", records)
    assert (scores["accuracy"], scores["error"]) == (0.5, 0.5)
    assert scores["loss"] == pytest.approx(records[1]["nats"])
    assert task.score("valid", []) == {"loss": 0.0, "accuracy": 0.0, "error": 1.0}


def test_records_come_in_the_order_of_the_rows(tmp_path: Path) -> None:
    task = asking(tmp_path)
    task.predictor.model.eval()
    some = np.array([7, 2, 19, 2])
    every = task.examine("valid", np.arange(20))
    for record, row in zip(task.examine("valid", some), some, strict=True):
        assert record["nats"] == pytest.approx(every[row]["nats"], rel=1e-5)
        assert {k: v for k, v in record.items() if k != "nats"} == {
            k: v for k, v in every[row].items() if k != "nats"
        }


def test_pointing_wants_every_supporting_sentence_and_nothing_where_none_is_known(
    tmp_path: Path,
) -> None:
    task = asking(tmp_path)
    base = {"wanted": 4, "answer": 4, "nats": 0.5}
    looks = [([3, 1], [1, 3]), ([1, 1], [1, 3]), ([2, 5], [5]), ([2, 5], [])]
    records = [{**base, "looked": looked, "support": facts} for looked, facts in looks]
    assert task.score("valid", records)["pointing"] == pytest.approx(2 / 3)
    assert "pointing" not in task.score("valid", records[3:])


def test_sentences_are_numbered_in_the_whole_story_though_the_memory_is_shorter(
    tmp_path: Path,
) -> None:
    task = asking(tmp_path, memory_size=3)
    model = task.predictor.model.eval()
    lengths = [text.count("\n") + 1 for text in task_texts(task)]
    assert max(lengths) == 10 and task.part(0).batch(np.arange(60)).story.shape[1] == 3
    for record, length in zip(task.examine("train", np.arange(60)), lengths, strict=True):
        assert all(max(1, length - 2) <= number <= length for number in record["looked"])
    row = int(np.argmax(lengths))
    batch = task.part(0).batch(np.array([row]))
    expected = model.look(batch.story, batch.question, batch.lengths)[0].argmax(-1) + 8
    assert task.examine("train", np.array([row]))[0]["looked"] == expected.tolist()


def task_texts(task) -> list[str]:
    return [row[0] for row in rows("train", len(task.examples["train"]), 100)]


def test_a_linear_start_lasts_for_its_epochs_of_training_alone(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.5)
    model = task.predictor.model
    assert float(model.linear) == 90
    model.train()
    for _ in range(2):
        for rows_of in task.plan(task.part(0).lengths, np.random.default_rng(0)):
            task.loss(task.part(0).batch(rows_of))
    assert float(model.linear) == 0
    model.start_linear(5)
    model.eval()
    task.loss(task.part(0).batch(np.arange(3)))
    assert float(model.linear) == 5


@pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])
def test_a_hard_attention_learns_from_what_it_drew(tmp_path: Path, estimator: str) -> None:
    task = asking(tmp_path, attention="hard", estimator=estimator)
    model = task.predictor.model.train()
    loss = task.loss(task.part(0).batch(np.arange(8)))
    assert loss.item() > 0
    loss.backward()
    assert model.memories[0].time.grad.any()
    if model.reinforce is not None:
        assert float(model.reinforce.baseline) > 0


@pytest.mark.parametrize(
    "text",
    [
        f"{STORY}\nWhere is Ada?",
        "Ada went to the attic. Boris went to the market. Where is Ada?",
        f"{STORY} Where is Ada?",
        f"  {STORY}\n\nWhere is Ada?\n",
    ],
)
def test_a_text_is_a_story_and_a_question_on_lines_or_in_one(tmp_path: Path, text: str) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict([text], beams=3)
    assert answer.inputs == tuple(STORY.split("\n"))
    assert answer.outputs == ("hop 1", "hop 2") and answer.weights.shape == (2, 2)
    torch.testing.assert_close(answer.weights.sum(-1), torch.ones(2))
    scores = [score for _, score in answer.answers]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True) and scores[0] < 0
    assert answer.unknown == ()


def test_what_the_predictor_answers_is_what_the_task_examined(tmp_path: Path) -> None:
    task = asking(tmp_path, memory_size=3)
    task.predictor.model.eval()
    texts = [text for text, _ in task.fixed]
    records = task.examine("valid", np.arange(len(texts)))
    for answer, record in zip(task.predictor.predict(texts), records, strict=True):
        assert answer.answers[0][0] == task.predictor.vocabulary.tokens[record["answer"]]
        assert len(answer.inputs) <= 3 and answer.inputs == tuple(answer.text.split("\n")[:-1][-3:])


def test_an_empty_story_is_answered_and_shows_no_sentence(tmp_path: Path) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict(["Where is Zoë?"])
    assert answer.inputs == () and answer.weights.shape == (2, 0)
    assert np.isfinite(answer.answers[0][1]) and answer.unknown == ("zoë",)


@pytest.mark.parametrize("story", ["Mr. X went to the attic.", "...", "?!"])
def test_a_story_of_one_sentence_is_one_sentence(tmp_path: Path, story: str) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict([f"{story}\nWhere is Ada?"])
    assert answer.inputs == (story,) and answer.weights.shape == (2, 1)
    assert answer.weights.isfinite().all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "text 2 of 2 is empty; give a story and a question"),
        (" \n ", "text 2 of 2 is empty"),
        (STORY, "has no question: its last sentence is 'Boris went to the market.'"),
        (f"Where is Ada?\n{STORY}", "has no question"),
        ("Ada\x1b[2J went", r"'Ada\\x1b\[2J went'"),
        (f"{STORY}\n?", "has no question"),
        ("x" * 99, "'x{40}\\.\\.\\.'"),
    ],
)
def test_a_text_without_a_question_is_refused_by_its_number(
    tmp_path: Path, text: str, why: str
) -> None:
    predictor = asking(tmp_path).predictor
    with pytest.raises(ValueError, match=why):
        predictor.predict(["Where is Ada?", text])


def test_a_saved_predictor_answers_as_before(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.0)
    task.predictor.model.eval()
    folder = tmp_path / "best"
    folder.mkdir()
    task.predictor.save(folder)
    assert read_about(folder) == {"task": "answer"}
    again = Answerer(load(folder), load_vocabulary(folder))
    texts = [text for text, _ in task.fixed]
    for one, other in zip(task.predictor.predict(texts), again.predict(texts), strict=True):
        assert one.answers == other.answers and torch.equal(one.weights, other.weights)
    (folder / VOCABULARY).write_text("{")
    with pytest.raises(ValueError, match="vocabulary.json is damaged"):
        load_vocabulary(folder)
    with pytest.raises(ValueError, match=VOCABULARY):
        read_about(folder)


def test_answers_of_several_words_are_one_label() -> None:
    vocabulary = learn_words([STORY], ["Where is Ada?"], ["Milk,  football", "n,w"])
    assert {"milk,football", "n,w", "attic"} <= set(vocabulary.tokens)
    assert answer_word("milk, Football") == "milk,football" and "" not in vocabulary


def test_sentences_without_words_keep_their_numbers() -> None:
    grid, counts = told(Ragged.of([[3, 5, 6, 3, 3], [7, 3]]), end=3, longest=9)
    assert grid.tolist() == [[[0, 0], [5, 6], [0, 0]], [[7, 0], [0, 0], [0, 0]]]
    assert counts.tolist() == [3, 1]
    nothing, none = told(Ragged.of([[], []]), end=3, longest=9)
    assert nothing.shape == (2, 0, 0) and none.tolist() == [0, 0]


@pytest.mark.parametrize("support", ["0", "one", "-1", "1,2"])
def test_a_support_that_is_no_number_is_refused(support: str) -> None:
    with pytest.raises(ValueError, match="a support is the numbers of sentences"):
        SupportCoder().encode(["1 2", support])


def test_no_model_is_the_best_before_its_start_is_over(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.0)
    records = task.examine("valid", np.arange(task.size("valid")))
    assert {"accuracy", "error"} & task.score("valid", records).keys() == set()
    task.predictor.model.learned(10**6)
    assert {"accuracy", "error"} <= task.score("valid", records).keys()
