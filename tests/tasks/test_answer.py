"""Questions about stories: what is learned from, what counts, and what is answered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.data.encoding.examples import encode_examples
from regard.data.encoding.story_words import SupportCoder, answer_word, learn_words, words
from regard.data.synthetic.stories import story_rows
from regard.models.protocols import StartsLinear
from regard.sequences import Sequences
from regard.tasks.answer import Answerer, AnswerQuestions, AnswerSettings
from regard.tasks.answer.coder import WORDS_FILE, StoriesAndAnswers
from regard.tasks.exchange import read_about
from regard.tasks.task import Encoded
from tests.tasks.stories import asking, table

STORY = "Ada went to the attic.\nBoris went to the market."


def test_every_question_is_planned_once_in_an_order_of_the_seed(tmp_path: Path) -> None:
    task = asking(tmp_path)
    plans = [task.plan(task.part(0).lengths, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert sorted(np.concatenate(plans[0])) == list(range(60))
    assert [len(part) for part in plans[0]] == [32, 28]
    same = [all(map(np.array_equal, plans[0], other)) for other in plans[1:]]
    assert same == [True, False]
    few = AnswerQuestions(task.data, task.model, AnswerSettings(batch_size=25))
    sizes = [len(part) for part in few.plan(few.part(0).lengths, np.random.default_rng(0))]
    assert sizes == [25, 25, 10]


def test_a_batch_is_the_words_of_the_sentences(tmp_path: Path) -> None:
    task = asking(tmp_path)
    vocabulary = task.coder.vocabulary
    batch = task.part(0).batch(np.array([4, 0]))
    for row, number in enumerate((4, 0)):
        text = task.data.examples["train"].rows[number]
        story, question, answer, _ = list(story_rows("train", 60, 100))[text]
        numbers = batch.story.ids[row][batch.story.real[row]].tolist()
        wanted = [word for line in story.split("\n") for word in (*words(line), "</s>")]
        assert vocabulary.decode(numbers) == wanted
        numbers = batch.question.ids[row][batch.question.real[row]].tolist()
        assert vocabulary.decode(numbers) == words(question)
        assert vocabulary.tokens[batch.label[row]] == answer.lower()
    assert batch.num_targets == 2 and batch.num_tokens < batch.num_padded_tokens


def test_the_loss_is_the_surprise_at_the_answers(tmp_path: Path) -> None:
    task = asking(tmp_path)
    model = task.model.double().eval()
    batch = task.part(0).batch(np.arange(9))
    logits = model(batch.story, batch.question).detach().numpy()
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -scores[np.arange(9), batch.label.numpy()].sum()
    assert task.loss(batch).item() == pytest.approx(wanted, rel=1e-6)
    records = task.examine("train", np.arange(9))
    assert sum(r["nll"] for r in records) == pytest.approx(wanted, rel=1e-5)
    assert [r["answer"] for r in records] == logits.argmax(-1).tolist()


def test_an_unknown_answer_teaches_nothing_and_counts_as_wrong(tmp_path: Path) -> None:
    task = asking(tmp_path)
    task.model.eval()
    unknown = [(STORY, "Where is Ada?", "moon", "1"), (STORY, "Where is Ada?", "attic", "")]
    examples = encode_examples(table(unknown), task.coder.readers, tmp_path / "unknown")
    task.data.examples.update(train=examples, valid=examples)
    batch = task.part(0).batch(np.array([0, 1]))
    assert batch.num_targets == 1 and batch.label[0] == -1
    torch.testing.assert_close(
        task.loss(batch), task.loss(task.part(0).batch(np.array([1]))), rtol=1e-6, atol=1e-6
    )
    assert task.loss(task.part(0).batch(np.array([0]))).item() == 0
    records = task.examine("valid", np.arange(2))
    records[1]["answer"] = records[1]["target"]
    scores = task.score("valid", records)
    assert (scores["accuracy"], scores["error"]) == (0.5, 0.5)
    assert scores["loss"] == pytest.approx(records[1]["nll"])
    assert task.score("valid", []) == {"loss": 0.0, "accuracy": 0.0, "error": 1.0}


def test_pointing_wants_every_supporting_sentence_and_nothing_where_none_is_known(
    tmp_path: Path,
) -> None:
    task = asking(tmp_path)
    base = {"target": 4, "answer": 4, "nll": 0.5}
    looks = [([3, 1], [1, 3]), ([1, 1], [1, 3]), ([2, 5], [5]), ([2, 5], [])]
    records = [{**base, "looked": looked, "support": facts} for looked, facts in looks]
    assert task.score("valid", records)["pointing"] == pytest.approx(2 / 3)
    assert "pointing" not in task.score("valid", records[3:])
    assert "pointing" not in task.score("valid", [records[0] | {"looked": None}])


def test_sentences_are_numbered_in_the_whole_story_though_the_memory_is_shorter(
    tmp_path: Path,
) -> None:
    task = asking(tmp_path, memory_size=3)
    task.model.eval()
    texts = [row[0] for row in story_rows("train", 60, 100)]
    lengths = [text.count("\n") + 1 for text in texts]
    assert max(lengths) == 10
    for record, length in zip(task.examine("train", np.arange(60)), lengths, strict=True):
        assert all(max(1, length - 2) <= number <= length for number in record["looked"])
    row = int(np.argmax(lengths))
    batch = task.part(0).batch(np.array([row]))
    expected = task.model.attention_weights(batch.story, batch.question)[0].argmax(-1) + 1
    assert task.examine("train", np.array([row]))[0]["looked"] == expected.tolist()


def test_a_linear_start_lasts_for_its_epochs_of_training_alone(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.5)
    model = task.model
    assert isinstance(model, StartsLinear) and float(model.linear) == 90
    model.train()
    for _ in range(2):
        for rows in task.plan(task.part(0).lengths, np.random.default_rng(0)):
            task.loss(task.part(0).batch(rows))
    assert float(model.linear) == 0
    model.start_linear(5)
    model.eval()
    task.loss(task.part(0).batch(np.arange(3)))
    assert float(model.linear) == 5


def test_a_trained_network_is_not_started_again_by_an_evaluation(tmp_path: Path) -> None:
    task = asking(tmp_path / "a", linear_epochs=1.0)
    task.model.eval().learned(10**6)
    again = AnswerQuestions.of(
        task.predictor, task.data.texts, tmp_path / "b", AnswerSettings(linear_epochs=9.0)
    )
    assert again.size("train") == 60 and float(task.model.linear) == 0
    rows = np.arange(20)
    assert again.examine("valid", rows) == task.examine("valid", rows)


class Bags(nn.Module):
    """Answers by the mean of all words, without an attention."""

    def __init__(self, vocab: int, **_: Any) -> None:
        super().__init__()
        self.words, self.linear = nn.Embedding(vocab, 8), nn.Linear(8, vocab)

    def forward(self, story: Sequences, question: Sequences) -> Tensor:
        return self.linear(sum(x.mean(self.words(x.ids)) for x in (story, question)))


def test_any_network_that_answers_is_trained_evaluated_and_asked(tmp_path: Path) -> None:
    task = asking(tmp_path, own=Bags)
    loss = task.loss(task.part(0).batch(np.arange(8)))
    loss.backward()
    assert task.model.words.weight.grad.any()
    scores = task.score("valid", task.examine("valid", np.arange(20)))
    assert scores.keys() == {"accuracy", "error", "loss"}
    (answer,) = task.predictor.predict([(STORY, "Where is Ada?")])
    assert answer.weights is None and answer.inputs == tuple(STORY.split("\n"))
    with pytest.raises(ValueError, match="linear_epochs is 2, but Bags has no softmax"):
        asking(tmp_path / "linear", own=Bags, linear_epochs=2.0)


@pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])
def test_a_hard_attention_learns_from_what_it_drew(tmp_path: Path, estimator: str) -> None:
    task = asking(tmp_path, attention=f"hard(estimator={estimator})")
    model = task.model.train()
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
    (answer,) = predictor.predict([Answerer.parse(text)], num_answers=3)
    assert answer.text == f"{STORY}\nWhere is Ada?"
    assert answer.inputs == tuple(STORY.split("\n"))
    assert answer.outputs == ("hop 1", "hop 2") and answer.weights.shape == (2, 2)
    torch.testing.assert_close(answer.weights.sum(-1), torch.ones(2))
    scores = [score for _, score in answer.answers]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True) and scores[0] < 0
    assert answer.unknown == ()


def test_a_story_is_a_text_or_its_sentences(tmp_path: Path) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    one, other = predictor.predict([(STORY, "Where is Ada?"), (STORY.split("\n"), "Where is Ada?")])
    assert one.answers == other.answers and one.text == other.text


def test_what_the_predictor_answers_is_what_the_task_examined(tmp_path: Path) -> None:
    task = asking(tmp_path, memory_size=3)
    task.model.eval()
    inputs = [given for given, _ in task.fixed]
    for (story, question), wanted in task.fixed:
        assert question.startswith("Where") and wanted.lower() in words(story)
    records = task.examine("valid", np.arange(len(inputs)))
    for answer, record in zip(task.predictor.predict(inputs), records, strict=True):
        assert answer.best == task.coder.vocabulary.tokens[record["answer"]]
        assert answer.inputs == tuple(answer.text.split("\n")[:-1])
        assert not answer.weights[:, : max(0, len(answer.inputs) - 3)].any()


def test_an_empty_story_is_answered_and_shows_no_sentence(tmp_path: Path) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict([("", "Where is Zoë?")])
    assert answer.inputs == () and answer.weights.shape == (2, 0)
    assert np.isfinite(answer.answers[0][1]) and answer.unknown == ("zoë",)


@pytest.mark.parametrize("story", ["Mr. X went to the attic.", "...", "?!"])
def test_a_story_of_one_sentence_is_one_sentence(tmp_path: Path, story: str) -> None:
    predictor = asking(tmp_path).predictor
    predictor.model.eval()
    (answer,) = predictor.predict([Answerer.parse(f"{story}\nWhere is Ada?")])
    assert answer.inputs == (story,) and answer.weights.shape == (2, 1)
    assert answer.weights.isfinite().all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the text is empty; give a story and a question"),
        (" \n ", "the text is empty"),
        (STORY, "has no question: its last sentence is 'Boris went to the market.'"),
        (f"Where is Ada?\n{STORY}", "has no question"),
        ("Ada\x1b[2J went", r"'Ada\\x1b\[2J went'"),
        (f"{STORY}\n?", "has no question"),
        ("x" * 99, "'x{40}\\.\\.\\.'"),
    ],
)
def test_a_text_without_a_question_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Answerer.parse(text)


def test_a_question_without_a_word_is_refused_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"question 2 of 2 is ' \?', in which there is no word"):
        asking(tmp_path).predictor.predict([(STORY, "Where is Ada?"), (STORY, " ?")])


def test_a_saved_predictor_answers_as_before(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.0)
    task.model.eval()
    folder = tmp_path / "best"
    folder.mkdir()
    task.predictor.save(folder)
    about = read_about(folder)
    assert about == {"task": "answer"}
    again = Answerer.load(folder, about)
    inputs = [given for given, _ in task.fixed]
    for one, other in zip(task.predictor.predict(inputs), again.predict(inputs), strict=True):
        assert one.answers == other.answers and torch.equal(one.weights, other.weights)
    (folder / WORDS_FILE).write_text("{")
    with pytest.raises(ValueError, match="vocabulary.json is damaged"):
        Answerer.load(folder, about)
    with pytest.raises(ValueError, match=WORDS_FILE):
        read_about(folder)


def test_a_network_and_words_of_different_runs_are_refused(tmp_path: Path) -> None:
    task = asking(tmp_path)
    task.predictor.save(tmp_path)
    StoriesAndAnswers(learn_words([STORY], [], [])).save(tmp_path)
    with pytest.raises(ValueError, match="is inconsistent: its network has vocab"):
        Answerer.load(tmp_path, {"task": "answer"})


def test_what_was_prepared_is_opened_the_same(tmp_path: Path) -> None:
    task = asking(tmp_path)
    coder = task.coder
    again = Encoded(coder, coder.opened(task.data.texts, tmp_path), task.data.texts)
    other = AnswerQuestions(again, task.model)
    one, two = (each.part(0).batch(np.arange(5)) for each in (task, other))
    assert torch.equal(one.story.ids, two.story.ids) and torch.equal(one.label, two.label)
    rows = [dict(zip(("story", "question", "answer", "support"), row, strict=True))
            for row in story_rows("train", 60, 100)]  # fmt: skip
    few = task.stream_part(rows).batch(np.arange(5))
    assert torch.equal(few.question.ids, one.question.ids)


def test_answers_of_several_words_are_one_label() -> None:
    vocabulary = learn_words([STORY], ["Where is Ada?"], ["Milk,  football", "n,w"])
    assert {"milk,football", "n,w", "attic"} <= set(vocabulary.tokens)
    assert answer_word("milk, Football") == "milk,football" and "" not in vocabulary


@pytest.mark.parametrize("support", ["0", "one", "-1", "1,2"])
def test_a_support_that_is_no_number_is_refused(support: str) -> None:
    with pytest.raises(ValueError, match="a support is the numbers of sentences"):
        SupportCoder().encode(["1 2", support])


def test_no_model_is_the_best_before_its_start_is_over(tmp_path: Path) -> None:
    task = asking(tmp_path, linear_epochs=1.0)
    records = task.examine("valid", np.arange(task.size("valid")))
    assert {"accuracy", "error"} & task.score("valid", records).keys() == set()
    task.model.learned(10**6)
    assert {"accuracy", "error"} <= task.score("valid", records).keys()
