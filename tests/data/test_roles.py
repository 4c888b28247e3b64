"""What columns are for is told by their names and by what they hold; what is not plain is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard.data.reading.corpus import Corpus
from tests.data.any_task import read

WORDS = "the soup was warm and the room looked bright today".split()
COUNT = 60


def prose(n: int, start: int = 0) -> str:
    return " ".join([*WORDS[start:], *WORDS[:start], str(n)])


def lines(name: list[str] | None, *columns: list[Any], mark: str = ",") -> str:
    rows = [*([name] if name else []), *zip(*columns, strict=True)]
    return "".join(
        mark.join(f'"{c}"' if mark in str(c) else str(c) for c in r) + "\n" for r in rows
    )


TEXTS = [prose(n) for n in range(COUNT)]
OTHERS = [prose(n, 3) for n in range(COUNT)]
KINDS = [("ham", "spam", "ham")[n % 3] for n in range(COUNT)]
FLAGS = [str(n % 2) for n in range(COUNT)]
SCORES = [f"{n % 37 / 8 + 0.05:.3f}" for n in range(COUNT)]
STARS = [str(n % 5 + 1) for n in range(COUNT)]
NUMBERS = [str(n) for n in range(COUNT)]
EMPTY = [""] * COUNT
USERS = [f"u{n % 8}" for n in range(COUNT)]
ITEMS = [f"i{n * 7 % 12}" for n in range(COUNT)]
CLOCKS = [f"2026/03/{n % 28 + 1:02} 3:{n % 60:02}:11 PM GMT+2" for n in range(COUNT)]
YES = [("yes", "no")[n % 2] for n in range(COUNT)]
DAYS = [f"2026-03-{n % 28 + 1:02}" for n in range(COUNT)]


def reading(folder: Path, content: str, name: str = "a.csv", **options: Any) -> Corpus:
    (folder / name).write_text(content)
    return read(str(folder / name), options.pop("task", None), **options)


@pytest.mark.parametrize(
    ("names", "columns", "task", "found"),
    [
        (["category", "name"], [KINDS, TEXTS], "classify", ("name", "category")),
        (["v1", "v2", "", ""], [KINDS, TEXTS, EMPTY, EMPTY], "classify", ("v2", "v1")),
        (['"""text"""', "'label'"], [TEXTS, KINDS], "classify", ("text", "label")),
        (["Text", "LABEL"], [TEXTS, KINDS], "classify", ("Text", "LABEL")),
        (["id", "ReviewText", "Sentiment"], [NUMBERS, TEXTS, KINDS], "classify", None),
        (["code", "language"], [TEXTS, KINDS], "classify", ("code", "language")),
        (["x", "y"], [TEXTS, KINDS], "classify", ("x", "y")),
        (None, [KINDS, TEXTS], "classify", ("2", "1")),
        (None, [TEXTS, FLAGS], "classify", ("1", "2")),
        (["text", "score"], [TEXTS, SCORES], "regress", ("text", "score")),
        (["review", "x"], [TEXTS, SCORES], "regress", ("review", "x")),
        (["a", "b", "label"], [TEXTS, OTHERS, FLAGS], "match", None),
        (["text_a", "text_b", "label"], [TEXTS, OTHERS, FLAGS], "match", None),
        (["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
         [FLAGS, NUMBERS, NUMBERS, TEXTS, OTHERS], "match", ("#1 String", "#2 String", "Quality")),
        (["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
         [NUMBERS, NUMBERS, NUMBERS, TEXTS, OTHERS, FLAGS], "match",
         ("question1", "question2", "is_duplicate")),
        (["English words", "German words"], [TEXTS, OTHERS], "translate", None),
        (["English", "French"], [TEXTS, OTHERS], "translate", ("English", "French")),
        (["id", "article", "highlights"], [NUMBERS, TEXTS, OTHERS], "translate",
         ("article", "highlights")),
        (None, [TEXTS, OTHERS], "translate", ("1", "2")),
        (["CustomerID", "StockCode", "Quantity", "InvoiceDate"], [USERS, ITEMS, STARS, DAYS],
         "recommend", ("CustomerID", "StockCode", "rating", "InvoiceDate")),
        (["Nutzer", "Artikel", "Bewertung", "Datum"], [USERS, ITEMS, STARS, DAYS], "recommend",
         ("Nutzer", "Artikel", "Bewertung", "Datum")),
        (["user_id", "item_id", "date"], [USERS, ITEMS, DAYS], "recommend", None),
        (["When", "How was it? Please describe.", "Would you come again?"],
         [CLOCKS, TEXTS, YES], "classify",
         ("How was it? Please describe.", "Would you come again?")),
        (["text", "by", "took", "kind", "kept"],
         [TEXTS, ["Anna"] * COUNT, ["4.5"] * COUNT, KINDS, ["yes"] * COUNT], "classify",
         ("text", "kind")),
    ],
)  # fmt: skip
def test_roles_are_told_by_names_and_contents(
    tmp_path: Path, names: Any, columns: Any, task: str, found: Any
) -> None:
    corpus = reading(tmp_path, lines(names, *columns))
    assert corpus.task == task and (found is None or corpus.names == found)
    assert sum(len(part) for part in corpus.splits.values()) == COUNT


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (["Go.", "Va !"], [["Hi.", "Salut !"], ["Run!", "Cours !"], ["Who?", "Qui ?"]]),
        (["hello", "HH AH L OW"], [["world", "W ER L D"], ["good", "G UH D"], ["a", "AH"]]),
        (["good film", "pos"], [["bad film", "neg"], ["fine film", "pos"], ["dull one", "neg"]]),
        (["12", "zwölf"], [["13", "dreizehn"], ["14", "vierzehn"], ["15", "fünfzehn"]]),
        (["2026-01-01", "x"], [["2026-01-02", "y"], ["2026-01-03", "z"], ["2026-01-04", "w"]]),
    ],
)
def test_a_first_row_like_the_others_is_no_header(
    tmp_path: Path, first: list[str], rest: list[list[str]]
) -> None:
    text = "".join("\t".join(row) + "\n" for row in [first, *rest])
    corpus = reading(tmp_path, text, "a.tsv", task="translate")
    assert corpus.names == ("1", "2")
    assert sum(len(part) for part in corpus.splits.values()) == len(rest) + 1


@pytest.mark.parametrize(
    "first", [["text", "label", "2019", "2020"], ["", "0", "1", "2"], ["0", "1", "2", "3"]]
)
def test_years_and_counted_columns_are_names(tmp_path: Path, first: list[str]) -> None:
    columns = [TEXTS, KINDS] if first[0] else [NUMBERS, TEXTS]
    columns += [NUMBERS, NUMBERS] if first[0] else [KINDS, NUMBERS]
    corpus = reading(tmp_path, lines(first, *columns))
    place = int(not first[0])
    assert corpus.names == tuple(first[place : place + 2])
    assert sum(len(part) for part in corpus.splits.values()) == COUNT


@pytest.mark.parametrize(("others", "kept"), [(["good", "bad"], False), ([",", "."], True)])
def test_a_question_mark_is_no_label_but_among_signs(
    tmp_path: Path, others: list[str], kept: bool
) -> None:
    labels = ["?" if n % 6 == 0 else others[n % 2] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "label"], TEXTS, labels))
    assert ("?" in corpus.labels) == kept == ("? is read as no label" not in corpus.description)


def test_a_label_of_the_test_part_that_no_training_example_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(lines(["text", "label"], TEXTS[:50], KINDS[:50]))
    (tmp_path / "test.csv").write_text(lines(["text", "label"], TEXTS[50:], [*KINDS[51:], "egg"]))
    said = "no training example has the label of some test examples: egg"
    assert said in read(str(tmp_path)).description.split("\n")


def test_a_few_examples_of_many_labels_are_held_out_by_their_hash(tmp_path: Path) -> None:
    labels = [f"intent {n % 60}" for n in range(3 * COUNT)]
    texts = [prose(n) for n in range(3 * COUNT)]
    corpus = reading(tmp_path, lines(["text", "intent"], texts, labels))
    assert len(corpus.splits["valid"]) > 0 and "all alike" not in corpus.description


def test_titles_and_texts_are_no_translation(tmp_path: Path) -> None:
    columns = (NUMBERS, OTHERS, [f"{text}. {text}" for text in TEXTS])
    with pytest.raises(ValueError, match="there must be"):
        reading(tmp_path, lines(["id", "title", "text"], *columns))
    corpus = reading(tmp_path, lines(["id", "title", "summary"], *columns))
    assert corpus.task == "translate"


@pytest.mark.parametrize("remarks", ["# Version :: 1.9\n", "# Nodes: 10\n# Edges\n"])
def test_remarks_above_a_table_without_names_are_left_out(tmp_path: Path, remarks: str) -> None:
    pairs = "".join(f"wort{n} :: word{n}\n" for n in range(COUNT))
    corpus = reading(tmp_path, remarks + pairs, "a.txt", task="translate")
    assert sum(len(part) for part in corpus.splits.values()) == COUNT
    tags = reading(tmp_path, "".join(f"#tag{n} was seen,{'ab'[n % 2]}\n" for n in range(COUNT)))
    assert sum(len(part) for part in tags.splits.values()) == COUNT


def test_one_text_with_several_labels_is_told(tmp_path: Path) -> None:
    texts = [*TEXTS[:50], *TEXTS[:10]]
    kinds = [*KINDS[:50], *(["spam"] * 4), *KINDS[4:10]]
    told = reading(tmp_path, lines(["text", "label"], texts, kinds)).description
    count = sum(one != two for one, two in zip(kinds[:4], kinds[50:54], strict=True))
    assert f"{count} training examples have the text of another, and another label" in told


def test_numbers_that_begin_with_0_are_no_times_and_codes_no_texts(tmp_path: Path) -> None:
    isbns = [f"03400000{n * 7 % 12:02}" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["User-ID", "ISBN", "Book-Rating"], USERS, isbns, STARS))
    assert corpus.task == "recommend" and corpus.columns[:3] == ("User-ID", "ISBN", "Book-Rating")
    looked_at = [f"N{n} N{n + 1} N{n + 2}" for n in range(COUNT)]
    with pytest.raises(ValueError, match="there must be"):
        reading(tmp_path, lines(None, NUMBERS, USERS, looked_at, mark="\t"), "a.tsv")


def test_where_the_first_row_has_no_time_none_has_one(tmp_path: Path) -> None:
    times = ["", *(str(900000000 + n) for n in range(1, COUNT))]
    with pytest.raises(ValueError, match="line 3: timestamp is '900000001', and the first row has"):
        reading(tmp_path, lines(["user", "item", "timestamp"], USERS, ITEMS, times))


def test_a_table_of_numbers_is_told_that_they_are_not_learned(tmp_path: Path) -> None:
    table = lines(["country", "1990", "1991"], KINDS, NUMBERS, NUMBERS)
    with pytest.raises(ValueError, match=r"country .*, 1990 .*: no column holds texts or pictures"):
        reading(tmp_path, table)


@pytest.mark.parametrize(
    ("names", "columns", "ways"),
    [
        (["one", "two", "label"], [TEXTS, OTHERS, KINDS], ["--text one --lab", "--text two --lab"]),
        (["text", "a", "b"], [TEXTS, KINDS, STARS], ["--label a", "--label b"]),
        (["ProductId", "UserId", "Score", "Time", "Text"], [ITEMS, USERS, STARS, NUMBERS, TEXTS],
         ["--task recommend", "--task regress"]),
        (["text", "rating"], [TEXTS, STARS], ["--task classify", "--task regress"]),
        (["a", "b", "c"], [TEXTS, OTHERS, [prose(n, 5) for n in range(COUNT)]],
         ["--source a --target b", "--source b --target c"]),
    ],
)  # fmt: skip
def test_close_readings_are_asked_about_with_three_examples_of_each(
    tmp_path: Path, names: list[str], columns: Any, ways: list[str]
) -> None:
    with pytest.raises(ValueError, match="can be read in [2-9] ways; say which:") as error:
        reading(tmp_path, lines(names, *columns))
    said = str(error.value)
    assert all(way in said for way in ways)
    assert said.count("    3. ") == said.count("  --task ") >= 2


def test_the_way_that_was_offered_is_taken(tmp_path: Path) -> None:
    text = lines(["text", "rating"], TEXTS, STARS)
    assert reading(tmp_path, text, task="regress", columns={"label": "rating"}).task == "regress"
    corpus = reading(tmp_path, text, columns={"text": "text", "label": "rating"}, task="classify")
    assert corpus.labels == ("1", "2", "3", "4", "5")
    assert "rating holds 5 whole numbers, which are learned as classes" in corpus.description


def test_columns_are_named_by_role_joined_and_by_number(tmp_path: Path) -> None:
    text = lines(["Title", "kind", "body"], TEXTS, KINDS, OTHERS)
    corpus = reading(tmp_path, text, columns={"text": "Title,body", "label": "KIND"})
    first = corpus.splits["train"][0]
    assert corpus.columns == ("Title,body", "kind") and first["text"].count("\n") == 1
    by_number = reading(tmp_path, text, columns={"text": "3", "label": "2"})
    assert by_number.columns == ("body", "kind")
    with pytest.raises(ValueError, match=r"has no column 'bdy' \(text\); did you mean body"):
        reading(tmp_path, text, columns={"text": "bdy"})
    path = "a.jsonl"
    nested = "".join(
        json.dumps({"doc": {"text": one, "about": {"kind": kind}}}) + "\n"
        for one, kind in zip(TEXTS, KINDS, strict=True)
    )
    found = reading(tmp_path, nested, path, columns={"text": "doc.text", "label": "doc.about.kind"})
    assert found.labels == ("ham", "spam")


def test_what_nobody_would_learn_as_labels_is_refused_until_it_is_said(tmp_path: Path) -> None:
    names = [f"name {n}" for n in range(COUNT)]
    text = lines(["text", "label"], TEXTS, names)
    with pytest.raises(ValueError, match="label has 60 different values in 60 rows, too many"):
        reading(tmp_path, text, task="classify")
    corpus = reading(tmp_path, text, columns={"label": "label", "text": "text"}, task="classify")
    assert "60 different values in 60 rows and is learned as labels because you" in (
        corpus.description
    )


def test_a_code_is_a_language_only_if_the_texts_are_of_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column holds texts"):
        reading(tmp_path, lines(["id", "no"], NUMBERS, SCORES))
    greek = [f"καλημέρα σε όλους {n}" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["el", "it", "id"], greek, TEXTS, NUMBERS))
    assert corpus.names == ("el", "it")


def test_the_columns_of_another_split_may_differ_in_case(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text(lines(["label", "text"], KINDS, TEXTS))
    (tmp_path / "train.csv").write_text(lines(["Text", "Label"], TEXTS, KINDS))
    corpus = read(str(tmp_path))
    assert len(corpus.splits["valid"]) == COUNT and corpus.splits["valid"][0]["label"] == "ham"


def test_several_files_are_read_one_behind_the_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(lines(["text", "label"], TEXTS, KINDS))
    several = read(f"{tmp_path / 'a.csv'}\n{tmp_path / 'b.csv'}")
    pattern = read(str(tmp_path / "*.csv"))
    assert sum(map(len, several.splits.values())) == 2 * COUNT
    assert sum(map(len, pattern.splits.values())) == 2 * COUNT
    (tmp_path / "b.csv").write_text(lines(["text", "kind"], TEXTS, KINDS))
    with pytest.raises(ValueError, match="b.csv has no column 'label', as .*a.csv has"):
        read(str(tmp_path / "*.csv"))
    for name, words in (("en", TEXTS), ("de", OTHERS)):
        (tmp_path / f"corpus.{name}").write_text("\n".join(words))
    assert read(f"{tmp_path / 'corpus.en'}\n{tmp_path / 'corpus.de'}").task == "translate"


def test_where_data_is_may_be_said_as_in_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(lines(["text", "label"], TEXTS, KINDS))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/a.csv").task == "classify"
    with pytest.raises(FileNotFoundError, match=r"\*.tsv matches no file"):
        read(str(tmp_path / "*.tsv"))
    with pytest.raises(ValueError, match="is an address .*; download it first"):
        read("https://example.org/a.csv")
    with pytest.raises(FileNotFoundError, match="is a path of Windows"):
        read("C:\\data\\a.csv")


def test_labels_of_several_spellings_are_one_and_that_is_said(tmp_path: Path) -> None:
    spelled = [(" good", "Good", "good", "bad ", "1.0", "1")[n % 6] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "label"], TEXTS, spelled))
    assert corpus.labels == ("1", "bad", "good")
    assert "are read as one label" in corpus.description
    exact = reading(tmp_path, lines(["text", "label"], TEXTS, spelled), merged=False)
    assert len(exact.labels) == 6


def test_a_share_of_each_label_is_held_out(tmp_path: Path) -> None:
    rare = ["spam" if n % 50 == 0 else "ham" for n in range(1000)]
    texts = [prose(n) for n in range(1000)]
    corpus = reading(tmp_path, lines(["text", "label"], texts, rare))
    held = [row["label"] for row in corpus.splits["valid"]]
    assert (held.count("spam"), held.count("ham")) == (1, 49)
    assert "label: ham 931, spam 19" in corpus.description


def test_what_stands_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(lines(["text", "label"], TEXTS, KINDS))
    (tmp_path / "test.csv").write_text(lines(["text", "label"], TEXTS[:20], KINDS[:20]))
    assert "20 of 20 test examples are in the training part too" in read(str(tmp_path)).description
    doubled = reading(tmp_path, lines(["text", "label"], TEXTS[:30] * 2, KINDS), "b.csv")
    assert "training examples repeat the text of another" in doubled.description


def test_times_in_another_order_are_told(tmp_path: Path) -> None:
    shuffled = [DAYS[n * 7 % COUNT] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["user", "item", "date"], USERS, ITEMS, shuffled))
    assert "rows in another order than their times; they are sorted by them" in corpus.description


@pytest.mark.parametrize(
    ("dates", "seconds"),
    [
        (["13.02.2026", "01.03.2026"], [1770940800.0, 1772323200.0]),
        (["02/13/2026 10:00", "03/01/2026 10:00"], [1770976800.0, 1772359200.0]),
        (["13/02/26", "01/03/26"], [1770940800.0, 1772323200.0]),
        (["1770940800000", "1772323200000"], [1770940800.0, 1772323200.0]),
        (["2026/02/13", "2026/3/1"], [1770940800.0, 1772323200.0]),
        (["13 February 2026", "1-Mar-2026"], [1770940800.0, 1772323200.0]),
        (["Feb 13, 2026", "March 1, 2026"], [1770940800.0, 1772323200.0]),
        (["02/13/2026 01:00 PM", "03/01/2026 12:30 am"], [1770987600.0, 1772325000.0]),
        (["2026/02/13 3:00:00 PM GMT+2", "2026/3/1 12:00 AM UTC"], [1770987600.0, 1772323200.0]),
        (["2026-02-13 11:00:00 -0100", "2026-03-01 00:00:00 +0000"], [1770984000.0, 1772323200.0]),
    ],
)
def test_dates_are_times_however_they_are_written(
    tmp_path: Path, dates: list[str], seconds: list[float]
) -> None:
    columns = [USERS, ITEMS, [dates[n % 2] for n in range(COUNT)]]
    corpus = reading(tmp_path, lines(["user", "item", "time"], *columns))
    assert {float(row["timestamp"]) for row in corpus.splits["train"]} == set(seconds)


def test_numbers_with_a_comma_are_numbers(tmp_path: Path) -> None:
    scores = [score.replace(".", ",") for score in SCORES]
    corpus = reading(tmp_path, lines(["Text", "Punkte"], TEXTS, scores, mark=";"))
    assert corpus.task == "regress" and corpus.splits["train"][0]["number"] == float(SCORES[0])


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        (["500 €", "812 €"], [500.0, 812.0]),
        (["$1,000.00", "$12.50"], [1000.0, 12.5]),
        (["53.4%", "7.0%"], [53.4, 7.0]),
        (["12 km", "7.5 km"], [12.0, 7.5]),
        (["3,711", "95"], [3711.0, 95.0]),
        (["0,711", "1,250"], [0.711, 1.25]),
        (["4.5", "N/A", "2.25"], [4.5, 2.25]),
        (["4.5", "", "NaN", "NaN", "NaN", "2.25"], [4.5, 2.25]),
        (["CHF 6'326.50", "CHF 9.50"], [6326.5, 9.5]),
        (["1\u202f778,50 €", "988,10 €"], [1778.5, 988.1]),
        (["1 778,50", "12,5"], [1778.5, 12.5]),
        (["\N{MINUS SIGN}0.5", "0.25"], [-0.5, 0.25]),
        (["(0.52)", "1.25"], [-0.52, 1.25]),
    ],
)
def test_numbers_are_numbers_with_a_unit_and_thousands(
    tmp_path: Path, written: list[str], numbers: list[float]
) -> None:
    prices = [written[n % len(written)] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["Text", "price"], TEXTS, prices, mark=";"), task="regress")
    found = {row["number"] for part in corpus.splits.values() for row in part}
    assert found == set(numbers)
    plain = not any(mark in written[0] for mark in "€$%'m") and written[0] != "3,711"
    assert ("is read as" in corpus.description) == (not plain)


@pytest.mark.parametrize(
    "cell",
    [
        lambda some: "{" + ", ".join(map(repr, some)) + "}",
        lambda some: "[" + " ".join(map(repr, some)) + "]",
        lambda some: json.dumps([{"id": len(each), "name": each} for each in some]),
        lambda some: "".join(f"<{each}>" for each in some),
        lambda some: " ".join(f"#{each}" for each in some),
        " / ".join,
    ],
)
def test_several_labels_are_several_however_they_are_spelled(tmp_path: Path, cell: Any) -> None:
    several = [
        cell([["War"], ["War", "Crime"], ["Crime", "Drama"], ["Drama"]][n % 4])
        for n in range(COUNT)
    ]
    corpus = reading(tmp_path, lines(["plot", "genres"], TEXTS, several, mark="\t"), "a.tsv")
    assert corpus.task == "multilabel"
    assert {row["labels"] for row in corpus.splits["train"]} == {
        "War", "War\tCrime", "Crime\tDrama", "Drama"
    }  # fmt: skip


def test_numbers_of_labels_are_no_decimals(tmp_path: Path) -> None:
    numbers = [("2", "7", "0", "2,7", "0,2", "0,2,7", "5", "2,5")[n % 8] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(None, TEXTS, numbers, mark="\t"), "a.tsv")
    assert corpus.task == "multilabel"
    halves = [("1", "1,5", "2,5", "4", "3,5", "5")[n % 6] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "note"], TEXTS, halves, mark=";"), "b.csv")
    assert corpus.task == "regress"


def test_what_pandas_writes_for_no_label_is_none(tmp_path: Path) -> None:
    kinds = [(*KINDS[:2], "nan")[n % 3] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "label"], TEXTS, kinds))
    assert corpus.labels == ("ham", "spam") and "20 rows without a label" in corpus.description


def test_what_says_that_there_is_no_label_is_told(tmp_path: Path) -> None:
    kinds = [(*KINDS[:2], "NA", "null", "#VALUE!")[n % 5] for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "label"], TEXTS, kinds))
    assert corpus.labels == ("ham", "spam")
    assert "label: #VALUE!, NA, null are read as no label" in corpus.description
    places = [("EU", "NA", "AS")[n % 3] for n in range(COUNT)]
    assert reading(tmp_path, lines(["text", "place"], TEXTS, places)).labels == ("AS", "EU", "NA")


def test_a_number_without_an_end_is_refused_where_it_stands(tmp_path: Path) -> None:
    scores = ["inf" if n % 9 == 1 else score for n, score in enumerate(SCORES)]
    with pytest.raises(ValueError, match="a.csv line 3: 'score' must be a number.*'inf'"):
        reading(tmp_path, lines(["text", "score"], TEXTS, scores))


def test_users_that_became_numbers_with_a_point_are_users(tmp_path: Path) -> None:
    users = [f"{n % 30}.0" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["userId", "movieId", "rating"], users, ITEMS, STARS))
    assert corpus.task == "recommend" and corpus.names[0] == "userId"


def test_a_first_line_may_say_what_divides_cells(tmp_path: Path) -> None:
    corpus = reading(tmp_path, "sep=;\n" + lines(["text", "label"], TEXTS, KINDS, mark=";"))
    assert corpus.task == "classify" and corpus.names == ("text", "label")


def test_quotes_may_be_escaped_by_a_backslash(tmp_path: Path) -> None:
    rows = "".join(
        f'"so \\"{text}\\", she said",{kind}\n' for text, kind in zip(TEXTS, KINDS, strict=True)
    )
    corpus = reading(tmp_path, "text,label\n" + rows)
    assert corpus.splits["train"][0]["text"].startswith('so "the soup')


def test_objects_may_follow_each_other_over_several_lines(tmp_path: Path) -> None:
    objects = [{"text": t, "label": k} for t, k in zip(TEXTS, KINDS, strict=True)]
    corpus = reading(tmp_path, "\n".join(json.dumps(o, indent=1) for o in objects), "a.json")
    assert sum(map(len, corpus.splits.values())) == COUNT


@pytest.mark.parametrize(
    ("yes", "no"), [("x", ""), ("X", ""), ("✓", ""), ("yes", "no"), ("True", "False"), ("Y", "")]
)
def test_columns_that_are_crossed_are_labels_each(tmp_path: Path, yes: str, no: str) -> None:
    crossed = [[yes if n % 7 % k == 0 else no for n in range(40)] for k in (2, 3, 4)]
    found = reading(
        tmp_path, lines(["text", "rude", "loud", "odd"], [prose(n) for n in range(40)], *crossed)
    )
    assert (found.task, found.names) == ("multilabel", ("text", "rude,loud,odd"))
    every = {row["labels"] for row in found.splits["train"]}
    assert every == {"rude\tloud\todd", "rude\tloud", "rude\todd", "rude", "loud", ""}


TAGS = ["csv", "python", "regex", "django", "flask"]
COMBINED = [
    " ".join(dict.fromkeys((TAGS[n % 5], TAGS[n * 3 % 7 % 5], TAGS[n % 3]))) for n in range(70)
]


@pytest.mark.parametrize("name", ["tags", "labels", "genres", "topics", "categories"])
def test_tags_with_spaces_between_are_several_labels_where_their_name_says_so(
    tmp_path: Path, name: str
) -> None:
    found = reading(tmp_path, lines(["text", name], [prose(n) for n in range(70)], COMBINED))
    assert found.task == "multilabel"
    assert {tag for row in found.splits["train"] for tag in row["labels"].split("\t")} == {*TAGS}


@pytest.mark.parametrize("name", ["label", "category"])
def test_tags_with_spaces_between_are_asked_about_where_their_name_says_one(
    tmp_path: Path, name: str
) -> None:
    content = lines(["text", name], [prose(n) for n in range(140)], COMBINED * 2)
    with pytest.raises(ValueError, match=rf"(?s)2 ways.*--label {name}.*--label {name}") as told:
        reading(tmp_path, content)
    assert "--task classify" in str(told.value) and "--task multilabel" in str(told.value)
    found = reading(tmp_path, content, task="multilabel")
    assert {tag for row in found.splits["train"] for tag in row["labels"].split("\t")} == {*TAGS}


@pytest.mark.parametrize("name", ["label", "labels"])
def test_labels_of_several_words_stay_one(tmp_path: Path, name: str) -> None:
    names = ["very good", "good", "bad", "very bad", "not good"]
    content = lines(["text", name], [prose(n) for n in range(40)], names * 8)
    assert reading(tmp_path, content).task == "classify"


def test_what_users_chose_may_be_in_one_cell(tmp_path: Path) -> None:
    users = [f"u{n}" for n in range(30)]
    chosen = [[f"i{n % 7}", f"i{n * 3 % 11}", f"i{n % 5}"] for n in range(30)]
    wanted = {(user, item) for user, items in zip(users, chosen, strict=True) for item in items}
    for mark in (" ", "|"):
        content = lines(["user", "history"], users, list(map(mark.join, chosen)))
        content = content.replace("history", "items") if mark == "|" else content
        found = reading(tmp_path, content)
        assert found.task == "recommend"
        assert {(row["user"], row["item"]) for row in found.splits["train"]} == wanted


def test_users_rated_what_comes_back_whatever_it_is_called(tmp_path: Path) -> None:
    numbers = [str(n * 7 % 12) for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["user_id", "anime_id", "rating"], USERS, numbers, STARS))
    assert corpus.names[:3] == ("user_id", "anime_id", "rating")


def test_a_number_beside_two_texts_without_names_says_how_alike_they_are(tmp_path: Path) -> None:
    kind = ["news"] * COUNT
    corpus = reading(
        tmp_path, lines(None, kind, NUMBERS, SCORES, TEXTS, OTHERS, mark="\t"), "a.tsv"
    )
    assert (corpus.task, corpus.names) == ("similarity", ("4", "5", "3"))
    german = [f"das Zimmer {n} war hell und warm" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(None, TEXTS, german, SCORES, mark="\t"), "b.tsv")
    assert (corpus.task, corpus.names) == ("translate", ("1", "2"))


def test_an_answer_is_what_stands_in_its_passage_and_no_place_or_number(tmp_path: Path) -> None:
    passages = [f"House {n} of the street is high." for n in range(COUNT)]
    asked = [("Which is high?", "What is high?")[n % 2] for n in range(COUNT)]
    columns = [passages, asked, [f"House {n}" for n in range(COUNT)], ["0"] * COUNT]
    corpus = reading(tmp_path, lines(["context", "question", "text", "answer_start"], *columns))
    assert corpus.names[:4] == ("context", "question", "text", "answer_start")
    numbers = [str(n // 2) for n in range(COUNT)]
    with pytest.raises(ValueError, match="has columns _id .*, question .*, answer .*there must"):
        reading(tmp_path, lines(["_id", "question", "answer"], numbers, TEXTS, NUMBERS))


def test_amounts_of_several_units_are_no_texts(tmp_path: Path) -> None:
    weights = [f"{n + 1} {('kg', 'g')[n % 2]}" for n in range(COUNT)]
    with pytest.raises(ValueError, match=r"weight \(amounts of several.*in one unit"):
        reading(tmp_path, lines(["note", "weight"], TEXTS, weights))


def test_questions_in_a_list_are_no_labels(tmp_path: Path) -> None:
    entries = {
        f"p{n}": {
            "passage": prose(n),
            "asked": [{"q": f"Was it warm on day {n}?"}, {"q": "So it is?"}],
        }
        for n in range(COUNT)
    }
    assert reading(tmp_path, json.dumps(entries), "a.json").task == "translate"


def test_where_nothing_fits_the_nearest_tasks_are_named(tmp_path: Path) -> None:
    content = lines(["text", "label"], [prose(n) for n in range(40)], [f"n{n}" for n in range(40)])
    with pytest.raises(ValueError, match=r"text and label \(classify\), or left") as told:
        reading(tmp_path, content)
    said = str(told.value).partition("there must be")[2]
    assert said.count("(") == 3 and "recommend" not in said


@pytest.mark.parametrize("unit", ["{} kg", "${}", "{}%", "{} EUR"])
def test_numbers_with_one_unit_are_measured_however_they_go_up(tmp_path: Path, unit: str) -> None:
    weights = [unit.format(50 + n) for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["text", "weight"], TEXTS, weights))
    assert corpus.task == "regress"


@pytest.mark.parametrize("spelled", ["{0}-{1}", "{0} to {1}", "00:{1}:30"])
def test_ranges_of_numbers_are_not_left_out_without_a_word(tmp_path: Path, spelled: str) -> None:
    ages = [spelled.format(10 + n % 50, 10 + (n + 7) % 50) for n in range(COUNT)]
    with pytest.raises(ValueError, match="write the numbers of age in one unit"):
        reading(tmp_path, lines(["text", "age"], TEXTS, ages))


def test_a_column_that_says_of_each_row_that_there_is_none_is_empty(tmp_path: Path) -> None:
    none = ["NA"] * COUNT
    corpus = reading(tmp_path, lines(["sessionId", "userId", "itemId"], USERS, none, ITEMS))
    assert corpus.columns[:2] == ("sessionId", "itemId")


def test_numbers_are_no_translation(tmp_path: Path) -> None:
    numbers = [f"{n / 7:.4f}" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["excerpt", "target"], TEXTS, numbers))
    assert corpus.task == "regress"


def test_a_header_may_be_longer_than_what_is_below_it(tmp_path: Path) -> None:
    names = [f"What do you think of the {'very ' * 40}old lamp", f"label {'x' * 200}"]
    corpus = reading(tmp_path, lines(names, TEXTS, KINDS))
    assert corpus.columns == tuple(names)
    assert max(map(len, corpus.description.split("\n"))) < 600


def test_joined_files_have_marks_of_their_byte_order_within(tmp_path: Path) -> None:
    one = lines(["text", "label"], TEXTS[:30], KINDS[:30])
    two = lines(["text", "label"], TEXTS[30:], KINDS[30:])
    (tmp_path / "a.csv").write_text(f"\ufeff{one}\ufeff{two}")
    corpus = read(str(tmp_path / "a.csv"))
    assert sum(len(part) for part in corpus.splits.values()) == COUNT
    assert set(corpus.labels) == set(KINDS)


def test_marks_of_the_direction_of_writing_are_no_part_of_a_label(tmp_path: Path) -> None:
    kinds = [f"\u200f{kind}" if n % 3 else kind for n, kind in enumerate(KINDS)]
    found = reading(tmp_path, lines(["text", "label"], TEXTS, kinds)).labels
    assert len(found) == len(set(KINDS))


def test_dates_of_amazons_reviews_are_times(tmp_path: Path) -> None:
    dates = [f"{1 + n % 12:02} {1 + n % 28}, 2018" for n in range(COUNT)]
    corpus = reading(tmp_path, lines(["user", "item", "reviewTime"], USERS, ITEMS, dates))
    assert corpus.columns[3] == "reviewTime"
