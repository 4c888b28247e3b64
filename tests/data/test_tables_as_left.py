"""Tables as people and other tools leave them: titles above, odd marks, names said again."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard._io.extra import extra
from regard.data.reading import json_tables
from regard.data.reading.corpus import Corpus
from tests.data.any_task import read

TEXTS = [
    (f"the {w} was number {n}", "good" if n % 2 else "bad") for n, w in enumerate("abcdef" * 5)
]
LONG = [f"{text}, and the soup came late again that evening" for text, _ in TEXTS]


def rows(corpus: Corpus) -> list[tuple[str, ...]]:
    return sorted(tuple(row.values()) for part in corpus.splits.values() for row in part)


def reading(folder: Path, name: str, content: str, **options: Any) -> Corpus:
    (folder / name).write_text(content)
    return read(str(folder / name), **options)


def table(mark: str = ",", names: str = "text,label") -> str:
    lines = [*([names.replace(",", mark)] if names else []), *(mark.join(row) for row in TEXTS)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("other", ["films.csv", "./films.csv", "link.csv", "f*.csv"])
def test_a_file_that_is_named_again_is_read_once_and_that_is_said(
    tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.csv").write_text(table())
    Path("link.csv").symlink_to("films.csv")
    once, again = read("films.csv"), read(f"films.csv\n{other}")
    assert rows(again) == rows(once)
    assert "films.csv is named twice and is read once" in again.description.split("\n")
    assert "named" not in once.description


def test_a_name_may_hold_a_line_feed(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a\nfilm.csv", "b.csv", "c\n\nd.csv")]
    for place, name in enumerate(names):
        some = "".join(",".join(row) + "\n" for row in TEXTS[10 * place : 10 * place + 10])
        Path(name).write_text("text,label\n" + some)
    assert rows(read("\n".join(names))) == sorted(TEXTS)
    assert rows(read(names[0])) == sorted(TEXTS[:10])
    with pytest.raises(FileNotFoundError, match="e does not exist"):
        read(f"{names[0]}\n{tmp_path}/e\nf.csv")


@pytest.mark.parametrize("content", [
    {"eval": [{"of": 1}], "data": [{"text": row[0], "label": row[1]} for row in TEXTS]},
    {"data": [list(row) for row in TEXTS], "columns": ["text", "label"], "test": {"n": [1]}},
])  # fmt: skip
def test_json_is_parsed_once_and_rows_are_made_of_the_chosen_table_alone(
    tmp_path: Path, content: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def watched(name: str) -> None:
        plain = getattr(json_tables, name)
        monkeypatch.setattr(json_tables, name, lambda *a: [seen.append((name, *a)), plain(*a)][1])

    for name in ("read_json", "_named"):
        watched(name)
    corpus = reading(tmp_path, "a.json", json.dumps(content, indent=1), task="classify")
    assert rows(corpus) == sorted(TEXTS)
    whole = [args for what, *args in seen if what == "read_json" and args[0] != "{"]
    assert len(whole) == 1 and [what for what, *_ in seen].count("_named") <= 1


@pytest.mark.parametrize("mark", [" ||| ", "|||", "||", " +++$+++ ", "\x01", "\x1f", "^", "~"])
@pytest.mark.parametrize("names", ["text,label", ""])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_mark_that_hardly_stands_in_texts_divides_them(
    tmp_path: Path, mark: str, names: str, name: str
) -> None:
    corpus = reading(tmp_path, name, table(mark, names))
    assert corpus.task == "classify" and rows(corpus) == sorted(TEXTS)


def test_columns_that_stand_apart_by_spaces_are_columns(tmp_path: Path) -> None:
    wide = "".join(f"{text:<40}{label}\n" for text, label in [("text", "label"), *TEXTS])
    assert rows(reading(tmp_path, "a.txt", wide)) == sorted(TEXTS)


def test_bars_around_empty_cells_are_no_mark_of_their_own(tmp_path: Path) -> None:
    content = "text|note|label\n" + "".join(f"{text}||{label}\n" for text, label in TEXTS)
    corpus = reading(tmp_path, "a.csv", content)
    assert corpus.names == ("text", "label") and rows(corpus) == sorted(TEXTS)


@pytest.mark.parametrize(
    "above", ["Survey of 2024,\n,\n", "# exported today\n# 30 rows\n", "# made by hand, in May\n"]
)
def test_what_stands_above_the_names_is_left_out_and_said(tmp_path: Path, above: str) -> None:
    corpus = reading(tmp_path, "a.csv", above + table())
    assert corpus.names == ("text", "label") and rows(corpus) == sorted(TEXTS)
    assert "above the names of the columns left out" in corpus.description


@pytest.mark.parametrize(
    ("name", "row"), [("a.tsv", "{}\t{}\t{}\n"), ("a.txt", '"{}" "{}" "{}"\n')]
)
def test_numbers_of_rows_may_have_no_name_as_in_tables_of_r(
    tmp_path: Path, name: str, row: str
) -> None:
    first = row.replace('"{}" ', "", 1).replace("{}\t", "", 1).format("text", "label")
    content = first + "".join(row.format(n, *each) for n, each in enumerate(TEXTS, 1))
    corpus = reading(tmp_path, name, content)
    assert rows(corpus) == sorted(TEXTS) and "the numbers of the rows" in corpus.description


def test_what_is_not_read_beside_the_data_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(table())
    (tmp_path / "sample_submission.csv").write_text("id,label\n1,good\n")
    assert "not read: sample_submission.csv" in read(str(tmp_path)).description
    (tmp_path / "sets" / "a").mkdir(parents=True)
    (tmp_path / "sets" / "b").mkdir()
    (tmp_path / "sets" / "a" / "train.csv").write_text(table())
    with pytest.raises(ValueError, match="sets holds the folders a, b: which is to be trained on"):
        read(str(tmp_path / "sets"))
    spark = tmp_path / "spark"
    spark.mkdir()
    for number in (0, 1):
        (spark / f"part-0000{number}-4c0e-c000.csv").write_text(table())
    corpus = read(str(spark))
    assert len(rows(corpus)) == 60 and "2 files are read one behind the other" in corpus.description


def test_names_that_are_said_again_are_no_row(tmp_path: Path) -> None:
    corpus = reading(tmp_path, "a.csv", table() + table().replace("number", "no"))
    assert corpus.labels == ("bad", "good") and len(rows(corpus)) == 60
    assert "rows that say the names of the columns again are left out" in corpus.description
    marked = "| text | label |\n|---|:---:|\n" + "".join(f"| {t} | {k} |\n" for t, k in TEXTS)
    assert len(rows(reading(tmp_path, "b.md", marked))) == 30


def test_two_columns_of_one_name_are_said_and_not_read_as_a_row(tmp_path: Path) -> None:
    twice = "text,text,label\n" + "".join(f"{t},{t} again,{k}\n" for t, k in TEXTS)
    with pytest.raises(ValueError, match="two columns have one name: text, text, label"):
        reading(tmp_path, "a.csv", twice)


def test_single_quotes_hold_commas_where_double_ones_do_not(tmp_path: Path) -> None:
    quoted = "text,label\n" + "".join(f"'{t}, so it was',{k}\n" for t, k in TEXTS)
    assert rows(reading(tmp_path, "a.csv", quoted))[0][0] == "the a was number 0, so it was"
    with pytest.raises(ValueError, match=r"line 2: 3 columns, .* 2 \(text, label\); a cell in wh"):
        reading(tmp_path, "b.csv", quoted.replace("'", ""))


def test_a_table_of_names_alone_is_said_to_have_no_row(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a.csv has no row below the names of its columns, text"):
        reading(tmp_path, "a.csv", "text,label\n")


def test_the_sheet_that_is_a_table_is_read_from_below_its_title(tmp_path: Path) -> None:
    book = extra("openpyxl").Workbook()
    book.active.append(["made by", "Anna"])
    sheet = book.create_sheet("Data")
    for row in [("Survey of 2024", None), (None, None), ("text", "label"), *TEXTS]:
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    corpus = read(str(tmp_path / "a.xlsx"))
    assert rows(corpus) == sorted(TEXTS) and "the sheet 'Data'" in corpus.description


@pytest.mark.parametrize(
    ("names", "columns", "ways"),
    [
        (["Class Index", "Title", "Description"], lambda n: (n % 4, TEXTS[n][0], LONG[n]),
         ["--text Title ", "--text Description "]),
        (None, lambda n: (n % 4, TEXTS[n][0], f"{LONG[n]} {LONG[n]}"), ["--text 2 ", "--text 3 "]),
    ],
)  # fmt: skip
def test_texts_are_no_pair_beside_labels(
    tmp_path: Path, names: list[str] | None, columns: object, ways: list[str]
) -> None:
    made = [*([names] if names else []), *(columns(n) for n in range(30))]  # type: ignore[operator]
    content = "".join("\t".join(map(str, row)) + "\n" for row in made)
    with pytest.raises(ValueError, match="ways; say which") as error:
        reading(tmp_path, "a.tsv", content)
    assert all(way in str(error.value) for way in ways)


def test_an_instruction_and_its_input_are_read_together(tmp_path: Path) -> None:
    asked = [
        {"instruction": f"say of {t} what you think", "input": t * (n % 2), "output": LONG[n]}
        for n, (t, _) in enumerate(TEXTS)
    ]
    corpus = reading(tmp_path, "a.json", json.dumps(asked))
    assert corpus.task == "translate" and corpus.columns == ("instruction,input", "output")
    assert len(rows(corpus)) == 30


def test_the_same_in_every_row_is_no_text_and_no_user(tmp_path: Path) -> None:
    content = "zone\ttext\tmood_sentiment\n" + "".join(
        f"Eastern Time (US & Canada)\t{t}\t{k}\n" for t, k in TEXTS
    )
    corpus = reading(tmp_path, "a.tsv", content)
    assert (corpus.task, corpus.names) == ("classify", ("text", "mood_sentiment"))


def test_codes_rated_at_times_are_users_and_items_and_no_twins(tmp_path: Path) -> None:
    shop = "".join(f"A{n % 7:09}\tB{n % 9:09}\t{n % 5}.0\t{880000000 + n}\n" for n in range(60))
    assert reading(tmp_path, "a.tsv", shop).task == "recommend"
    clicks = "label,c1,c2\n" + "".join(
        f"{n % 2},{n * 7919:08x},{n * 31 % 9:08x}\n" for n in range(60)
    )
    with pytest.raises(ValueError, match=r"a.csv has columns label \(yes or no\), c1 \(names\)"):
        reading(tmp_path, "a.csv", clicks)


@pytest.mark.parametrize("label", ["", "case {n}", "2024-01-0{d}"])
def test_a_column_that_is_called_label_is_never_left_out_in_silence(
    tmp_path: Path, label: str
) -> None:
    content = "text,label\n" + "".join(
        f"{text},{label.format(n=n, d=n % 2 + 1)}\n" for n, (text, _) in enumerate(TEXTS)
    )
    with pytest.raises(ValueError, match="--task language_model --text text"):
        reading(tmp_path, "a.csv", content)
    assert reading(tmp_path, "a.csv", content, task="language_model").task == "language_model"


def test_sentences_that_come_back_are_no_labels_unless_they_are_called_so(tmp_path: Path) -> None:
    about = [f"flat with {n % 25} rooms near the park" for n in range(60)]
    content = "place,price\n" + "".join(f"{text},code-{n}\n" for n, text in enumerate(about))
    with pytest.raises(ValueError, match="b.csv has columns"):
        reading(tmp_path, "b.csv", content)
    named = "label,text\n" + "".join(f"{text},so {n} is it\n" for n, text in enumerate(about))
    assert reading(tmp_path, "a.csv", named).task == "classify"


BAR = f"+{'-' * 42}+{'-' * 8}+\n"
PRINTED = {
    "psql": (f" text | label \n{BAR[1:-2]}\n", " {} | {}\n", "(30 rows)\n"),
    "mysql": (f"{BAR}| text | label |\n{BAR}", "| {:<40} | {} |\n", f"{BAR}30 rows in set\n"),
    "grid": (f"{BAR}| text | label |\n{BAR}", f"| {{}} | {{}} |\n| again | |\n{BAR}", ""),
    "duckdb": (
        "┌────┬───┐\n│ text │ label │\n│ varchar │ varchar │\n├────┼───┤\n",
        "│ {} │ {} │\n",
        "├────┴───┤\n│ 30 rows    2 columns │\n└────────┘\n",
    ),
    "rich": ("┏━━━━┳━━━┓\n┃ text ┃ label ┃\n┡━━━━╇━━━┩\n", "│ {} │ {} │\n", "└────┴───┘\n"),
    "org": ("| text | label |\n|------+-------|\n", "| {} | {} |\n", ""),
    "polars": (
        "shape: (30, 2)\n┌──────┬───────┐\n│ text ┆ label │\n│ ---  ┆ ---   │\n│ str  ┆ str   │\n"
        "╞══════╪═══════╡\n",
        "│ {} ┆ {} │\n",
        "└──────┴───────┘\n",
    ),
}


@pytest.mark.parametrize("kind", PRINTED)
def test_a_table_that_a_program_printed_is_read_unless_it_was_shortened(
    tmp_path: Path, kind: str
) -> None:
    above, row, below = PRINTED[kind]
    again = " again" * (kind == "grid")
    found = reading(tmp_path, "a.txt", above + "".join(row.format(*r) for r in TEXTS) + below)
    assert "a printed table" in found.description
    assert rows(found) == sorted((text + again, label) for text, label in TEXTS)
    cut = [(text, f"{label[:2]}…") for text, label in TEXTS]
    with pytest.raises(ValueError, match="a.txt is a printed table of which 30 of 30 rows are sho"):
        reading(tmp_path, "a.txt", above + "".join(row.format(*r) for r in cut) + below)


SCORED = [(text, f"{n}.5") for n, (text, _) in enumerate(TEXTS)]


def sheet(folder: Path, rows: list[tuple[Any, ...]], name: str) -> Corpus:
    """The same rows as a file of text or of Excel."""
    if name.endswith(".csv"):
        return reading(folder, name, "".join(",".join(map(str, row)) + "\n" for row in rows))
    book = extra("openpyxl").Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(folder / name)
    return read(str(folder / name))


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize("units", [("", "EUR"), ("[text]", "[kg]"), ("", "(1-30)")])
def test_units_below_the_names_and_totals_at_the_end_are_left_out(
    tmp_path: Path, name: str, units: tuple[str, str]
) -> None:
    table = [("text", "score"), units, *SCORED, ("Total", "455")]
    found = sheet(tmp_path, table, name)
    assert found.task == "regress" and len(rows(found)) == len(TEXTS)
    assert "the row of units below the names left out" in found.description
    assert "1 row of totals at the end left out" in found.description


def test_a_word_that_means_a_total_is_a_word_elsewhere(tmp_path: Path) -> None:
    found = sheet(tmp_path, [("text", "score"), *SCORED, ("total", "4.5"), *SCORED[:1]], "a.csv")
    assert len(rows(found)) == len(TEXTS) + 2
    pairs = [("en", "de"), ("one", "eins"), ("two", "zwei"), ("total", "gesamt")]
    assert len(rows(sheet(tmp_path, pairs, "b.csv"))) == 3


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_names_of_groups_above_those_of_columns_are_left_out(tmp_path: Path, name: str) -> None:
    table = [("Review", "", "Mark"), ("comment", "lang", "verdict")]
    found = sheet(tmp_path, [*table, *((text, "en", label) for text, label in TEXTS)], name)
    assert found.columns == ("comment", "verdict") and len(rows(found)) == len(TEXTS)
    assert "1 row above the names of the columns left out" in found.description


@pytest.mark.parametrize("name", ["split", "subset", "Data split"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_column_that_names_the_parts_divides_the_rows(
    tmp_path: Path, name: str, ending: str
) -> None:
    parts = ["train", "training", "TRAIN", "dev", "test"]
    table = [{"text": a, "label": b, name: parts[n % 5]} for n, (a, b) in enumerate(TEXTS)]
    lines = [",".join([*table[0]]), *(",".join(row.values()) for row in table)]
    content = lines if ending == "csv" else map(json.dumps, table)
    found = reading(tmp_path, f"a.{ending}", "\n".join(content))
    assert {split: len(part) for split, part in found.splits.items()} == {
        "train": 18,
        "valid": 6,
        "test": 6,
    }
    assert f"its column {name!r} says which part a row is of" in found.description
    assert found.columns == ("text", "label") and "not used" not in found.description


def test_a_column_of_parts_is_one_of_labels_where_that_is_said_and_names_each_row(
    tmp_path: Path,
) -> None:
    lines = [f"{a},{('train', 'test')[n % 2]}" for n, (a, _) in enumerate(TEXTS * 40)]
    content = "\n".join(["text,set", *lines])
    found = reading(tmp_path, "a.csv", content, columns={"text": "text", "label": "set"})
    assert set(found.labels) == {"train", "test"}
    with pytest.raises(ValueError, match="line 1202: 'set' is 'extra', and is one of train, valid"):
        reading(tmp_path, "a.csv", f"{content}\nso it is,extra\n", task="language_model")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("the {n} &amp; the soup", "HTML's entities, such as '&amp;'"),
        ("<p>the soup {n}<br/></p>", "HTML's tags, such as '<p>'"),
        ("the cafÃ© {n} was full", "letters of UTF-8 that were once read in another encoding"),
        ("the caf\ufffd {n} was full", "characters that were lost (U+FFFD)"),
        ("b'the soup {n} was cold'", "Python's spelling of bytes"),
        ("the soup {n}\\nwas cold", "escapes written out"),
        ("the soup {n} was <3 and 2 < 3 & so on, CafÃ", ""),
    ],
)
def test_what_other_programs_left_in_texts_is_told(tmp_path: Path, text: str, what: str) -> None:
    lines = (f"{text.format(n=n)}\t{'ab'[n % 2]}" for n in range(40))
    told = reading(tmp_path, "a.tsv", "\n".join(["text\tlabel", *lines])).description
    assert (f"text: 40 of 40 texts hold {what}" in told) == bool(what)
    assert ("texts hold" in told) == bool(what)


def test_two_columns_that_hold_the_same_are_told(tmp_path: Path) -> None:
    lines = [f"{text},{text if n % 4 else 'ja'}" for n, (text, _) in enumerate(TEXTS)]
    told = reading(tmp_path, "a.csv", "\n".join(["en,de", *lines])).description
    assert "en and de hold the same in 22 of 30 rows" in told


def test_names_have_nothing_unseen_around_them_and_lines_end_alike(tmp_path: Path) -> None:
    hidden = reading(
        tmp_path, "a.csv", table().replace("text,label", "\u200btext,\u200elabel\u200b")
    )
    assert hidden.names == ("text", "label")
    mixed = table().replace("\n", "\r", 7).replace("\r", "\n", 3)
    (tmp_path / "b.csv").write_bytes(mixed.encode())
    with pytest.raises(ValueError, match="b.csv line 4: a carriage return stands within the line"):
        read(str(tmp_path / "b.csv"))
