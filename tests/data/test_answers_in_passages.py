"""What is asked of passages: answers that stand there, labels, and what has no answer at all."""

import json
from pathlib import Path

import pytest

from tests.data.any_task import read

COUNT = 60
CITIES = ("Bergen", "Oslo", "Rome")
PASSAGES = [f"In {1900 + n} it rained in {CITIES[n % 3]} for {n + 3} days." for n in range(COUNT)]
QUESTIONS = [f"Where did it rain in {1900 + n}, and how long?" for n in range(COUNT)]
PLACES = [CITIES[n % 3] for n in range(COUNT)]
YES = [("yes", "no")[n % 2] for n in range(COUNT)]

ENGLISH = ("context", "question", "answer")
OTHERS = [
    ("passage", "question", "answer"),
    ("Paragraph", "Question", "Answer_Text"),
    ("Kontext", "Frage", "Antwort"),
    ("contexto", "pregunta", "respuesta"),
]


def written(folder: Path, name: str, names: tuple[str, ...], *columns: list[str]) -> str:
    path = folder / name
    rows = list(zip(*columns, strict=True))
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(dict(zip(names, r, strict=True))) + "\n" for r in rows))
    elif name.endswith(".tsv"):
        path.write_text("".join("\t".join(row) + "\n" for row in [names, *rows]))
    else:
        path.write_text("".join(",".join(f'"{c}"' for c in row) + "\n" for row in [names, *rows]))
    return str(path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("names", [ENGLISH, *OTHERS])
def test_answers_that_stand_in_their_passages_are_to_be_found_there(
    tmp_path: Path, name: str, names: tuple[str, ...]
) -> None:
    corpus = read(written(tmp_path, name, names, PASSAGES, QUESTIONS, PLACES))
    assert (corpus.task, corpus.columns[:3]) == ("extract", names)


@pytest.mark.parametrize("names", [ENGLISH, OTHERS[2]])
def test_answers_that_stand_nowhere_are_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    corpus = read(written(tmp_path, "a.csv", names, PASSAGES, QUESTIONS, YES))
    assert (corpus.task, corpus.labels) == ("answer", ("no", "yes"))


def test_answers_of_which_some_stand_there_are_asked_about(tmp_path: Path) -> None:
    some = [place if n % 3 else "yes" for n, place in enumerate(PLACES)]
    with pytest.raises(ValueError, match="can be read in 2 ways; say which:"):
        read(written(tmp_path, "a.csv", ENGLISH, PASSAGES, QUESTIONS, some))


def test_free_answers_are_not_taken_for_parts_of_passages(tmp_path: Path) -> None:
    free = [f"It rained a long time, as far as I know, {n} days or so." for n in range(COUNT)]
    with pytest.raises(ValueError, match="say which") as error:
        read(written(tmp_path, "a.csv", ENGLISH, PASSAGES, QUESTIONS, free))
    assert "--task extract" not in str(error.value)


def test_what_is_asked_about_a_story_is_a_label(tmp_path: Path) -> None:
    names = ("story", "question", "answer")
    corpus = read(written(tmp_path, "a.csv", names, PASSAGES, QUESTIONS, PLACES))
    assert corpus.task == "answer"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("names", [ENGLISH, *OTHERS, ("story", "question", "answer")])
def test_questions_without_answers_are_no_translation(
    tmp_path: Path, name: str, names: tuple[str, ...]
) -> None:
    path = written(tmp_path, name, names[:2], PASSAGES, QUESTIONS)
    with pytest.raises(ValueError, match="there is no answer beside") as error:
        read(path)
    said = str(error.value)
    assert "--answer COLUMN" in said
    assert f"--task translate --source {names[0]} --target {names[1]}" in said
    corpus = read(path, "translate", source=names[0], target=names[1])
    assert corpus.columns == names[:2]


def test_a_number_of_each_row_or_an_empty_column_is_no_answer(tmp_path: Path) -> None:
    numbers = [str(n) for n in range(COUNT)]
    names = ("id", *ENGLISH)
    for columns in ((numbers, PASSAGES, QUESTIONS, [""] * COUNT), (numbers, PASSAGES, QUESTIONS)):
        path = written(tmp_path, "a.csv", names[: len(columns)], *columns)
        with pytest.raises(ValueError, match="there is no answer beside context and question"):
            read(path)


def test_a_question_and_its_answer_are_a_pair(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", ("question", "answer"), QUESTIONS, PASSAGES)
    assert read(path).task == "translate"


def test_questions_that_repeat_are_no_labels(tmp_path: Path) -> None:
    asked = ["Where did it rain?", "How long?", "When?"] * (COUNT // 3)
    with pytest.raises(ValueError, match="there is no answer"):
        read(written(tmp_path, "a.csv", ("context", "question"), PASSAGES, asked))


def asked(*starts: int, answer: str = "lamp") -> str:
    """Questions of SQuAD, with where each answer is said to begin."""
    articles = [
        {
            "paragraphs": [
                {
                    "context": f"On day {n} the old lamp fell.",
                    "qas": [{"question": "What fell?", "answers": [found]}],
                }
            ]
        }
        for n, start in enumerate(starts)
        for found in [{"text": answer if n == 3 else "lamp", "answer_start": start}]
    ]
    return json.dumps({"version": "1", "data": articles})


@pytest.mark.parametrize(
    ("starts", "answer", "said"),
    [
        ([17] * 9, "lamp", ""),
        ([17, 17, 9, 17, 9, 9999, -1, 17, 17], "lamp", "4 of the first 9 answers do not begin at"),
        ([16] * 9, "lamp", "9 of the first 9 answers do not begin at their start, such as 'lamp'"),
        ([17] * 9, "lantern", "1 of the first 9 answers do not stand in their contexts, such as"),
        ([17, 17, 17, 16, 17, 17, 17, 17, 17], " lamp ", ""),
    ],
)
def test_answers_that_are_not_where_they_should_be_are_told(
    tmp_path: Path, starts: list[int], answer: str, said: str
) -> None:
    (tmp_path / "a.json").write_text(asked(*starts, answer=answer))
    corpus = read(str(tmp_path / "a.json"))
    assert corpus.task == "extract" and said in corpus.description
    assert ("answers do not" in corpus.description) == bool(said)
