"""Answers to surveys, as Qualtrics and SurveyMonkey export them."""

import csv
import io
import json
from pathlib import Path

import pytest

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus
from tests.data.any_task import read

WHY = "Why did you give\nthis answer, in your own words?"
NAMES = ["StartDate", "Finished", "ResponseId", "Q1", "Q2", "Q3_1"]
ASKED = ["Start Date", "Finished", "Response ID", "How was it?", WHY, "How likely? - 0-10"]
IDS = [json.dumps({"ImportId": f"QID{n}"}) for n in range(6)]
ANSWERS = [
    [
        f"2024-03-{1 + n % 28:02} 10:{n % 60:02}:00",
        "True",
        f"R_{n}x{7 * n}",
        "Very good" if n % 2 else "Not good",
        f"the lamp, it was seen on day {n}",
        str(n % 11),
    ]
    for n in range(60)
]


def table(rows: list[list[str]], mark: str = ",") -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=mark).writerows(rows)
    return written.getvalue()


def answers(corpus: Corpus) -> list[tuple[str, str]]:
    return sorted(tuple(row.values()) for part in corpus.splits.values() for row in part)


RIGHT = sorted((row[4], row[3]) for row in ANSWERS)
COLUMNS = {"text": "Q2", "label": "Q1"}


@pytest.mark.parametrize("mark", [",", "\t"])
def test_the_questions_and_the_ids_below_the_names_are_no_answers(
    tmp_path: Path, mark: str
) -> None:
    path = tmp_path / ("a.csv" if mark == "," else "a.tsv")
    path.write_text(table([NAMES, ASKED, IDS, *ANSWERS], mark), encoding="utf-16")
    corpus = read(str(path), columns=COLUMNS)
    assert answers(corpus) == RIGHT
    assert "2 rows below the names that explain them left out" in corpus.description


def test_a_choice_and_what_was_said_of_it_are_no_pair(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table([NAMES, ASKED, IDS, *ANSWERS]))
    with pytest.raises(ValueError) as error:
        read(str(path))
    assert "--text Q2 --label Q1" in str(error.value) and "match" not in str(error.value)


@pytest.mark.parametrize("places", [[3, 4], [3, 4, 5]])
def test_questions_alone_below_their_numbers_are_no_answers(
    tmp_path: Path, places: list[int]
) -> None:
    path = tmp_path / "a.csv"
    rows = [[row[n] for n in places] for row in [NAMES, ASKED, *ANSWERS]]
    path.write_text(table(rows))
    corpus = read(str(path), columns=COLUMNS)
    assert answers(corpus) == RIGHT
    assert "the row below the names that explains them left out" in corpus.description


def test_what_surveymonkey_writes_below_the_names_is_no_answer(tmp_path: Path) -> None:
    above = [["Respondent ID", "How was it?", "", "Why?"],
             ["", "Response", "Other (please specify)", "Open-Ended Response"]]  # fmt: skip
    rows = [[str(10**7 + n), row[3], "", row[4]] for n, row in enumerate(ANSWERS)]
    (tmp_path / "a.csv").write_text(table([*above, *rows]))
    assert answers(read(str(tmp_path / "a.csv"), columns={"text": "Why?"})) == RIGHT


def test_so_it_is_in_a_workbook(tmp_path: Path) -> None:
    book = extra("openpyxl").Workbook()
    for row in [NAMES, ASKED, IDS, *ANSWERS]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert answers(read(str(tmp_path / "a.xlsx"), columns=COLUMNS)) == RIGHT


def test_a_first_answer_that_asks_is_an_answer(tmp_path: Path) -> None:
    rows = [["was it so on day 0?", "good"], *([row[4], row[3]] for row in ANSWERS)]
    (tmp_path / "a.csv").write_text(table([["text", "label"], *rows]))
    assert len(answers(read(str(tmp_path / "a.csv")))) == 61
