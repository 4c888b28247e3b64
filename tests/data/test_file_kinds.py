"""A file is what is in it: packed, encoded or formatted as people and other tools leave it."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from regard._io.extra import extra
from regard.data.reading.corpus import Corpus
from tests.data.any_task import read

TEXTS = [
    (f"the {w} was number {n}", "good" if n % 2 else "bad") for n, w in enumerate("abcdef" * 5)
]
CSV = "text,label\n" + "".join(f"{text},{label}\n" for text, label in TEXTS)


def rows(corpus: Corpus) -> list[tuple[str, ...]]:
    return sorted(tuple(row.values()) for part in corpus.splits.values() for row in part)


def reading(folder: Path, name: str, content: str | bytes, **options: str) -> Corpus:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(str(path), options.pop("task", None), **options)


def zipped(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.csv.bz2", bz2.compress(CSV.encode())),
        ("a.csv.xz", lzma.compress(CSV.encode())),
        ("a.zip", zipped("a.csv")),
        ("mac.zip", zipped("a.csv", "__MACOSX/._a.csv")),
        ("told.zip", zipped("data/a.csv", "README.txt", "data/.DS_Store")),
        ("a.jsonl.gz", gzip.compress("".join(
            json.dumps({"text": text, "label": label}) + "\n" for text, label in TEXTS
        ).encode())),
    ],
)  # fmt: skip
def test_a_packed_table_is_the_table_in_it(tmp_path: Path, name: str, content: bytes) -> None:
    assert rows(reading(tmp_path, name, content)) == sorted(TEXTS)


def test_a_zip_of_several_tables_and_a_cut_off_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"two.zip holds 2 files \(a.csv, b.csv\), and one"):
        reading(tmp_path, "two.zip", zipped("a.csv", "b.csv"))
    with pytest.raises(ValueError, match="cut.csv.gz is damaged, it cannot be unpacked"):
        reading(tmp_path, "cut.csv.gz", gzip.compress((CSV * 99).encode())[:-40])


ACCENTED = CSV.replace("the", "café – “schön”,".replace(",", ""))
WORDS = {
    "cp1252": "Käse – “schön” ist für mich naïve façade",
    "cp1251": "Привет, как дела? Сегодня хорошая погода",
    "gb18030": "风雪山神庙林冲夜奔今天天气很好",
    "shift_jis": "今日は天気がいいですねカタカナもあります",
    "euc_kr": "오늘은 날씨가 좋습니다 안녕하세요",
    "big5": "今天天氣很好我們去公園玩吧",
    "cp1253": "Καλημέρα τι κάνετε σήμερα Ο καιρός είναι καλός",
    "cp1256": "مرحبا بكم في هذا المكان الجميل اليوم",
    "cp932": "今日は①髙﨑さんと天気のいい日に会いました",
    "cp949": "오늘은 뷁 날씨가 햏 좋습니다 안녕하세요",
    "iso2022_jp": "今日は天気がいいですねカタカナもあります",
    "iso8859_2": "Książka wciąga już od pierwszej strony i śnieg też",
    "cp866": "Официант был очень вежлив и принёс счёт вовремя",
    "cp850": "das Café war schön und der Käse auch für große Gäste",
    "mac_roman": "le café était très agréable et la crème brûlée aussi",
    "utf-16": "schön – 天气",
    "utf-16-le": "schoen today is the weather",
    "utf-32": "schön – 天气",
    "utf-32-le": "schön – 天气",
    "utf-32-be": "today is the weather 😀",
    "utf-8-sig": "schön – 天气",
}


@pytest.mark.parametrize("encoding", WORDS)
def test_an_encoding_is_found_by_the_bytes_and_said(tmp_path: Path, encoding: str) -> None:
    texts = [(f"{WORDS[encoding]} {n}", "ab"[n % 2]) for n in range(30)]
    table = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in texts)
    found = reading(tmp_path, "a.tsv", table.encode(encoding))
    assert rows(found) == sorted(texts)
    said = "found by its bytes" in found.description
    assert (
        said == (encoding not in ("utf-8-sig",)) and found.encoding in found.description + "utf-8"
    )
    assert rows(reading(tmp_path, "a.tsv", table.encode(encoding), encoding=encoding)) == rows(
        found
    )


def test_the_encoding_that_was_said_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a.csv line 2: byte 0xe9 .* is not UTF-8"):
        reading(tmp_path, "a.csv", "text,label\nné,a\nnu,b\n".encode("cp1252"), encoding="utf-8")
    with pytest.raises(ValueError, match="a.csv: its bytes are not UTF-16"):
        reading(tmp_path, "a.csv", b"text,label\nx", encoding="utf-16")


def test_a_byte_that_breaks_utf_8_makes_no_other_encoding_of_it(tmp_path: Path) -> None:
    broken = "text,label\nschön,a\n".encode() + b"gro\xdf,b\n" + "größer,a\n".encode()
    with pytest.raises(ValueError, match="a.csv line 3: byte 0xdf at column 4 is not UTF-8"):
        reading(tmp_path, "a.csv", broken)


def test_carriage_returns_end_lines_where_there_is_nothing_else(tmp_path: Path) -> None:
    assert rows(reading(tmp_path, "a.csv", CSV.replace("\n", "\r"))) == sorted(TEXTS)


@pytest.mark.parametrize("mark", [";", "|", "\t", "::"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_cells_are_divided_by_what_divides_every_line(tmp_path: Path, mark: str, name: str) -> None:
    texts = [(f"{text}, and so on", label) for text, label in TEXTS]
    table = f"text{mark}label\n" + "".join(f"{text}{mark}{label}\n" for text, label in texts)
    found = reading(tmp_path, name, table)
    assert rows(found) == sorted(texts) and "cells between" in found.description


ENTRIES = [{"text": text, "label": label} for text, label in TEXTS]
JSONS = {
    "array": json.dumps(ENTRIES),
    "indented": json.dumps(ENTRIES, indent=2),
    "wrapped": json.dumps({"version": "1", "data": ENTRIES}),
    "wrapped twice": json.dumps({"meta": {"n": 2}, "body": {"rows": ENTRIES}}),
    "columns": json.dumps({key: [e[key] for e in ENTRIES] for key in ("text", "label")}),
    "columns by row": json.dumps(
        {key: {str(n): e[key] for n, e in enumerate(ENTRIES)} for key in ("text", "label")}
    ),
    "nested": "".join(
        json.dumps({"id": n, "doc": {"text": e["text"]}, "notes": [{"label": e["label"]}]}) + "\n"
        for n, e in enumerate(ENTRIES)
    ),
    "rows": json.dumps([["text", "label"], *([e["text"], e["label"]] for e in ENTRIES)]),
    "split by pandas": json.dumps(
        {
            "columns": ["text", "label"],
            "index": [*range(len(ENTRIES))],
            "data": [[e["text"], e["label"]] for e in ENTRIES],
        }
    ),
    "by identifier": json.dumps({f"r{n}": e for n, e in enumerate(ENTRIES)}),
    "one object a line": "".join(json.dumps(entry) + "\n" for entry in ENTRIES),
}


@pytest.mark.parametrize("shape", JSONS)
@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_json_is_read_in_every_shape(tmp_path: Path, shape: str, name: str) -> None:
    assert rows(reading(tmp_path, name, JSONS[shape])) == sorted(TEXTS)


def test_json_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a.json line 3 column 3 is not JSON"):
        reading(tmp_path, "a.json", '[\n  {"text": "x"},\n  oops\n]')
    with pytest.raises(ValueError, match="in which there is no array of objects, such as"):
        reading(tmp_path, "b.json", '{"text": "x"}\n\n')


def test_an_array_in_a_file_of_lines_is_read_and_python_is_named(tmp_path: Path) -> None:
    lines = [json.dumps(entry) for entry in ENTRIES]
    for name, content in [
        ("a.jsonl", "[\n" + ",\n".join(lines) + "\n]\n"),
        ("b.jsonl", "".join(f"{line},\n" for line in lines)),
        ("c.jsonl", "\n".join(json.dumps(entry, indent=2) for entry in ENTRIES)),
    ]:
        assert rows(reading(tmp_path, name, content)) == sorted(TEXTS), name
    with pytest.raises(ValueError, match="line 1 is not .*this is how Python spells it"):
        reading(tmp_path, "d.jsonl", str(ENTRIES[0]))


def test_spans_and_turns_are_named_as_not_read(tmp_path: Path) -> None:
    for name, more in [
        ("doccano.jsonl", {"label": [[4, 5, "PER"], [10, 16, "N"]]}),
        ("written.jsonl", {"entities": "[(4, 5, 'PER'), (10, 16, 'N')]"}),
        ("objects.jsonl", {"notes": '[{"start": 4, "end": 5, "label": "PER"}]'}),
        ("prodigy.jsonl", {"spans": [{"start": 4, "end": 5, "label": "PER"}]}),
    ]:
        content = "".join(json.dumps({"text": text, **more}) + "\n" for text, _ in TEXTS)
        with pytest.raises(ValueError, match="marks spans of characters .* which are not read"):
            reading(tmp_path, name, content)
    turns = [{"role": "user", "content": "so"}, {"role": "assistant", "content": "x"}]
    content = "".join(json.dumps({"messages": [*turns, {"role": "user", "content": t}]}) + "\n"
                      for t, _ in TEXTS)  # fmt: skip
    with pytest.raises(ValueError, match="holds conversations .messages.role, messages.content"):
        reading(tmp_path, "chat.jsonl", content)


def test_an_empty_list_in_every_row_is_nothing(tmp_path: Path) -> None:
    content = json.dumps([{"text": t, "intent": k, "entities": []} for t, k in TEXTS])
    assert reading(tmp_path, "a.json", content).names == ("text", "intent")


def test_other_parts_of_a_document_are_said(tmp_path: Path) -> None:
    corpus = reading(tmp_path, "a.json", json.dumps({"rows": ENTRIES, "more": [{"n": 1}] * 9}))
    assert "the objects in 'rows', and not those in 'more'" in corpus.description


@pytest.mark.parametrize("valid", ["validation", "valid", "dev"])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_parts_in_one_document_are_the_parts_of_the_data(
    tmp_path: Path, valid: str, indent: int | None
) -> None:
    parts = {"v": 1, "test": ENTRIES[:5], "train": ENTRIES[5:26], valid: ENTRIES[26:]}
    content = json.dumps({**parts, "notes": ENTRIES[:2]}, indent=indent)
    corpus = reading(tmp_path, "a.json", content)
    assert {split: len(rows) for split, rows in corpus.splits.items()} == {
        **{"train": 21, "valid": 4, "test": 5},
    }
    said = f"'train' and '{valid}' and 'test' in it are the parts of the data; 'notes' left out"
    assert said in corpus.description
    wrapped = reading(tmp_path, "b.json", json.dumps({"data": parts}, indent=indent))
    assert wrapped.splits["test"][0] == corpus.splits["test"][0]


def test_texts_with_brats_notes_beside_them_are_not_read_as_texts_alone(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.txt").write_text(f"Anna is at place {n}.\n")
        (tmp_path / f"{n}.ann").write_text("T1\tPER 0 4\tAnna\n" if n else "")
    with pytest.raises(ValueError, match=r"brat's notes beside them \(0.ann beside 0.txt\).*CoNLL"):
        read(str(tmp_path))
    assert read(str(tmp_path), "language_model").splits["train"][0]["text"].startswith("Anna")


def test_true_false_and_null_are_labels_and_none(tmp_path: Path) -> None:
    labels = [True, False, None]
    lines = [json.dumps({"text": f"so {n}", "label": labels[n % 3]}) for n in range(30)]
    corpus = reading(tmp_path, "a.jsonl", "\n".join(lines))
    assert corpus.task == "classify" and corpus.labels == ("False", "True")
    assert "10 rows without a label left out" in corpus.description


def test_fasttext_and_trec_carry_their_labels(tmp_path: Path) -> None:
    lines = [f"__label__{label} {text}" for text, label in TEXTS]
    assert rows(reading(tmp_path, "a.txt", "\n".join(lines))) == sorted(TEXTS)
    kinds = {"good": "DESC:manner", "bad": "NUM:count"}
    lines = [f"{kinds[label]} {text} ?" for text, label in TEXTS]
    corpus = reading(tmp_path, "b.txt", "\n".join(lines))
    assert corpus.labels == ("DESC", "NUM") and "columns that are not used: fine" in (
        corpus.description
    )
    fine = reading(tmp_path, "b.txt", "\n".join(lines), columns={"label": "fine"})
    assert fine.labels == ("DESC:manner", "NUM:count")


@pytest.mark.parametrize(
    "line", ["{0} __label__{1}", "__label__{1} , {0}", "__class__{1} {0}", "{0} __label__{1} "]
)
def test_labels_of_fasttext_stand_anywhere_and_have_any_prefix(tmp_path: Path, line: str) -> None:
    content = "".join(line.format(*row) + "\n" for row in TEXTS)
    assert rows(reading(tmp_path, "a.txt", content)) == sorted(TEXTS)


NAMED = [(f"Anna{n}", "B-PER", "ran", "O", "home", "B-LOC") for n in range(20)]
FAULTS = {
    "fasttext": (
        "".join(f"__label__{k} {t}\n" for t, k in TEXTS),
        "line 31: there is no __label__",
    ),
    "conll": ("".join("{} {}\n{} {}\n{} {}\n\n".format(*n) for n in NAMED), "line 81: 1 columns"),
    "objects": ("".join(json.dumps({"a": t, "b": k}) + "\n" for t, k in TEXTS), "line 31 is not"),
    "slashed": (
        "".join(f"The/DT dog{n}/NN barked/VBD\n" for n in range(30)),
        "line 31: a word has",
    ),
    "numbered": ("".join(f"{len(k)} {t}\n" for t, k in TEXTS), "line 31: there is no number"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_one_line_of_another_form_is_named_and_makes_no_plain_text(
    tmp_path: Path, kind: str
) -> None:
    content, why = FAULTS[kind]
    with pytest.raises(ValueError, match=f"a.txt {why}"):
        reading(tmp_path, "a.txt", content + "broken\n")


def test_python_is_named_in_plain_text_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a.txt line 1 is not .*this is how Python spells it"):
        reading(tmp_path, "a.txt", "".join(f"{entry}\n" for entry in ENTRIES))


def test_numbers_of_words_are_no_words_and_what_is_the_same_is_no_tag(tmp_path: Path) -> None:
    content = "".join(
        f"# news\n1\t{a}\t{b}\tO\n2\t{c}\t{d}\tO\n3\t{e}\t{f}\tO\n\n" for a, b, c, d, e, f in NAMED
    )
    corpus = reading(tmp_path, "a.tsv", content)
    assert corpus.task == "tag" and rows(corpus)[0] == ("Anna0\tran\thome", "B-PER\tO\tB-LOC")
    whole = "".join("{} {}\n{} {}\n{} {}\n".format(*n) for n in NAMED)
    with pytest.raises(ValueError, match="b.txt has a word and its tag .* no blank line"):
        reading(tmp_path, "b.txt", whole)


def test_cells_that_spell_objects_are_columns_of_their_own(tmp_path: Path) -> None:
    def table(names: str, *columns: list[str]) -> str:
        return f"{names}\n" + "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True))

    texts = [text for text, _ in TEXTS]
    notes = [json.dumps({"by": {"kind": k}, "n": 1}) for _, k in TEXTS]
    corpus = reading(tmp_path, "a.tsv", table("text\tnote", texts, notes))
    assert corpus.columns == ("text", "note.by.kind") and rows(corpus) == sorted(TEXTS)
    notes[25] = "odd"
    with pytest.raises(ValueError, match="line 27: 'note' is an object in the rows above; it"):
        reading(tmp_path, "a.tsv", table("text\tnote", texts, notes))
    passages = [f"House {n} is high." for n in range(30)]
    answers = [
        f"{{'text': array(['{n}'], dtype=object), 'answer_start': array([6])}}" for n in range(30)
    ]
    content = table("context\tquestion\tanswers", passages, ["Which is high?"] * 30, answers)
    found = reading(tmp_path, "b.tsv", content)
    assert found.task == "extract" and rows(found)[2][2:4] == ("10", "6")
    topics = [("food", '{"choices": ["food", "room"]}', "room")[n % 3] for n in range(30)]
    several = reading(tmp_path, "c.tsv", table("text\ttopics", texts, topics))
    assert {row[1] for row in rows(several)} == {"food", "room", "food\troom"}
    words = ["['it' 'rained']", "['so' 'it']"] * 15
    tags = ["[1 0]", "[0 1]"] * 15
    tagged = reading(tmp_path, "d.tsv", table("tokens\tner_tags", words, tags))
    assert ("it\trained", "1\t0") in rows(tagged)


def test_an_arrow_in_every_line_divides_it(tmp_path: Path) -> None:
    content = "".join(f"{one} => {two}\n" for one, two in PAIRS)
    corpus = reading(tmp_path, "a.txt", content)
    assert corpus.task == "translate" and rows(corpus) == sorted(PAIRS)


def test_texts_that_are_kept_as_bytes_are_texts(tmp_path: Path) -> None:
    table = arrow.table(
        {"text": [t.encode() for t, _ in TEXTS], "label": [k.encode() for _, k in TEXTS]}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    assert rows(read(str(tmp_path / "a.parquet"))) == sorted(TEXTS)


def test_numbers_with_a_fixed_point_are_numbers(tmp_path: Path) -> None:
    prices = [Decimal(n) / 4 for n in range(30)]
    table = arrow.table({"text": [t for t, _ in TEXTS], "price": prices})
    parquet.write_table(table, tmp_path / "a.parquet")
    corpus = read(str(tmp_path / "a.parquet"))
    assert corpus.task == "regress" and {row[1] for row in rows(corpus)} == {*map(float, prices)}


def test_numbers_and_slashes_carry_labels_and_tags(tmp_path: Path) -> None:
    lines = "".join(f"{int(label == 'good')} {text}\n" for text, label in TEXTS)
    corpus = reading(tmp_path, "a.txt", lines)
    assert corpus.task == "classify" and corpus.labels == ("0", "1")
    tagged = "".join(f"The/DT dog{n}/NN barked/VBD ./.\nIt/PRP ran/VBD ./.\n" for n in range(9))
    corpus = reading(tmp_path, "b.txt", tagged)
    assert corpus.task == "tag" and rows(corpus)[0] == ("It\tran\t.", "PRP\tVBD\t.")
    verses = "".join(f"{n % 9 + 1} {text}\n" for n, (text, _) in enumerate(TEXTS * 3))
    paths = "".join("see a/b or c/d\nand so on and/or on\n" for _ in range(9))
    for name, content in [("verses.txt", verses), ("paths.txt", paths)]:
        assert reading(tmp_path, name, content).task == "language_model"


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        ("text.txt", "labels.txt"),
        ("train_text.txt", "train_labels.txt"),
        ("a.text", "a.label"),
        ("train.txt", "train.label"),
        ("train.txt", "train_labels.txt"),
    ],
)
def test_labels_lie_line_by_line_beside_their_texts(
    tmp_path: Path, texts: str, labels: str
) -> None:
    (tmp_path / texts).write_text("".join(f"{text}\n" for text, _ in TEXTS))
    (tmp_path / labels).write_text("".join(f"{label}\n" for _, label in TEXTS))
    corpus = read(str(tmp_path))
    assert corpus.task == "classify" and rows(corpus) == sorted(TEXTS)
    (tmp_path / labels).write_text("good\n")
    with pytest.raises(ValueError, match=f"has 30 lines, .*{labels} has 1; line n of one belongs"):
        read(str(tmp_path))


def test_a_play_is_no_table_of_questions(tmp_path: Path) -> None:
    play = "".join(f"{who}:\nWhat is it, number {n}?\n\n" for n in range(30) for who in ("A", "B"))
    assert reading(tmp_path, "play.txt", play).task == "language_model"


PAIRS = [(f"the house number {n}", f"das Haus Nummer {n}") for n in range(30)]


def test_translation_memories_are_pairs(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>{}</seg></tuv></tu>'
    units = "".join(unit.format(*pair) for pair in PAIRS)
    tmx = f'<?xml version="1.0"?><tmx version="1.4"><header/><body>{units}</body></tmx>'
    corpus = reading(tmp_path, "a.tmx", tmx)
    assert (corpus.task, corpus.names, rows(corpus)) == ("translate", ("en", "de"), sorted(PAIRS))
    unit = "<trans-unit id='1'><source>{}</source><target>{}</target></trans-unit>"
    units = "".join(unit.format(*pair) for pair in PAIRS)
    head = '<file source-language="en" target-language="de"><body>'
    xliff = f'<xliff version="1.2">{head}{units}</body></file></xliff>'
    assert rows(reading(tmp_path, "a.xlf", xliff)) == sorted(PAIRS)
    with pytest.raises(ValueError, match="bomb.tmx declares entities, which are not read"):
        reading(tmp_path, "bomb.tmx", '<!DOCTYPE tmx [<!ENTITY a "aa">]><tmx></tmx>')
    with pytest.raises(ValueError, match="cut.tmx line 1 column"):
        reading(tmp_path, "cut.tmx", tmx[:-20])


def test_pairs_with_where_they_are_from_are_pairs(tmp_path: Path) -> None:
    source = "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (x)"
    text = "".join(f"{one}\t{two}\t{source}\n" for one, two in PAIRS)
    corpus = reading(tmp_path, "deu.txt", text)
    assert corpus.task == "translate" and rows(corpus) == sorted(PAIRS)


def test_the_files_of_opennmt_are_side_by_side(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for side, place in (("src", 0), ("tgt", 1)):
            (tmp_path / f"{side}-{split}.txt").write_text("".join(p[place] + "\n" for p in PAIRS))
    corpus = read(str(tmp_path))
    assert corpus.names == ("src", "tgt") and set(corpus.splits) == {"train", "valid"}


CHOSEN = [
    (f"{n % 9 + 1}", f"{n * 7 % 13 + 20}", f"{n % 5 + 1}", f"{978300000 + n}") for n in range(90)
]


@pytest.mark.parametrize(
    ("name", "mark"), [("u.data", "\t"), ("ratings.dat", "::"), ("u.txt", " "), ("u.csv", ",")]
)
def test_interactions_without_names_are_those_of_movielens(
    tmp_path: Path, name: str, mark: str
) -> None:
    corpus = reading(tmp_path, name, "".join(mark.join(row) + "\n" for row in CHOSEN))
    assert corpus.task == "recommend" and rows(corpus) == sorted(CHOSEN)


def test_a_user_and_what_they_chose_stand_on_a_line(tmp_path: Path) -> None:
    lines = "".join(f"{user} 3 {user + 4} 5 7 {user}\n" for user in range(1, 9))
    corpus = reading(tmp_path, "h.txt", lines)
    assert corpus.task == "recommend" and ("1", "5", "", "") in rows(corpus)
    entries = [{"user": f"u{n}", "items": [n, n + 1, 40]} for n in range(9)]
    text = "\n".join(map(json.dumps, entries))
    corpus = reading(tmp_path, "h.jsonl", text)
    assert len(rows(corpus)) == 27 and ("u1", "40", "", "") in rows(corpus)


def test_saved_data_sets_and_shards_are_read(tmp_path: Path) -> None:
    datasets = extra("datasets")
    classes = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    columns = {key: [e[key] for e in ENTRIES] for key in ("text", "label")}
    made = datasets.Dataset.from_dict(columns, features=classes)
    made.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=made, test=made).save_to_disk(tmp_path / "two")
    assert rows(read(str(tmp_path / "one"))) == sorted(TEXTS)
    assert set(read(str(tmp_path / "two")).splits) == {"train", "valid", "test"}
    (tmp_path / "hub").mkdir()
    for number in range(2):
        some = made.select(range(number * 15, number * 15 + 15))
        some.to_parquet(tmp_path / "hub" / f"train-0000{number}-of-00002.parquet")
    assert rows(read(str(tmp_path / "hub"))) == sorted(TEXTS)


def test_a_sheet_of_excel_is_a_table(tmp_path: Path) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    for row in [("text", "label"), *TEXTS]:
        book.active.append(row)
    book.create_sheet("notes").append(["nothing"])
    book.save(tmp_path / "a.xlsx")
    corpus = read(str(tmp_path / "a.xlsx"))
    assert rows(corpus) == sorted(TEXTS) and "the sheet 'Sheet'" in corpus.description
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(ValueError, match="b.xlsx is not an Excel file that can be read"):
        read(str(tmp_path / "b.xlsx"))


def test_folders_of_labels_are_found_where_they_are(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("neg", "pos", "unsup"):
            place = tmp_path / "aclImdb" / split / label
            place.mkdir(parents=True)
            for number in range(5):
                (place / f"{number}_7.txt").write_text(f"{split} {label} {number}")
    (tmp_path / "aclImdb" / "train" / "urls_pos.txt").write_text("http://a")
    (tmp_path / "aclImdb" / "imdb.vocab").write_text("the\n")
    whole = read(str(tmp_path))
    assert whole.task == "classify" and whole.labels == ("neg", "pos")
    assert "left out: unsup" in whole.description and "test" in whole.splits
    assert read(str(tmp_path / "aclImdb" / "train")).labels == ("neg", "pos")


def test_texts_in_folders_of_labels_need_no_ending(tmp_path: Path) -> None:
    for number, (text, label) in enumerate(TEXTS):
        (tmp_path / f"rec.{label}").mkdir(exist_ok=True)
        (tmp_path / f"rec.{label}" / str(51000 + number)).write_text(text)
    corpus = read(str(tmp_path))
    assert corpus.task == "classify" and corpus.labels == ("rec.bad", "rec.good")
    (tmp_path / "train.csv").write_text(CSV)
    assert read(str(tmp_path)).labels == ("bad", "good")


def test_a_test_part_without_labels_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(CSV)
    (tmp_path / "test.csv").write_text("text\nso it is\n")
    corpus = read(str(tmp_path))
    assert set(corpus.splits) == {"train", "valid"}
    assert "the test part has no column 'label' and is left out" in corpus.description
    (tmp_path / "test.csv").write_text("label\ngood\n")
    with pytest.raises(ValueError, match="test.csv has no column 'text', as"):
        read(str(tmp_path))


@pytest.mark.parametrize("first_only", [True, False])
def test_a_word_a_row_is_joined_to_sentences(tmp_path: Path, first_only: bool) -> None:
    content = "Sentence #,Word,POS,Tag\n"
    for number in range(30):
        for place, (word, tag) in enumerate([(f"Anna{number}", "B-PER"), ("ran", "O")]):
            name = "" if first_only and place else f"Sentence: {number}"
            content += f"{name},{word},X,{tag}\n"
    corpus = reading(tmp_path, "a.csv", content)
    assert corpus.task == "tag" and len(rows(corpus)) == 30
    assert rows(corpus)[0] == ("Anna0\tran", "B-PER\tO")
    assert "a word a row, joined to sentences by 'Sentence #'" in corpus.description


@pytest.mark.parametrize(
    "labels", [("negative", "positive"), ("bait", "non_bait"), ("non-urgent", "urgent")]
)
def test_a_text_file_for_each_label_holds_a_text_a_line(
    tmp_path: Path, labels: tuple[str, str]
) -> None:
    for label in labels:
        (tmp_path / f"{label}.txt").write_text("".join(f"{label} {n}\n" for n in range(20)))
    assert read(str(tmp_path)).labels == labels


def test_mails_in_folders_of_labels_are_texts(tmp_path: Path) -> None:
    for label in ("ham", "spam"):
        (tmp_path / label).mkdir()
        for n in range(9):
            (tmp_path / label / f"{n}.abc.eml").write_text(f"Subject: {label}\n\nnumber {n}\n")
    assert read(str(tmp_path)).labels == ("ham", "spam")


def test_lists_of_words_are_texts_in_a_classifier(tmp_path: Path) -> None:
    entries = [{"tokens": text.split(), "label": n % 2} for n, (text, _) in enumerate(TEXTS)]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "a.parquet")
    assert rows(read(str(tmp_path / "a.parquet")))[0][0] == "the a was number 0"


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": f"House {n} is high.",
                    "qas": [
                        {
                            "id": str(n),
                            "question": f"What is house {n}?",
                            "is_impossible": n % 5 == 0,
                            "answers": [] if n % 5 == 0 else [{"text": "high", "answer_start": 11}],
                        }
                    ],
                }
                for n in range(40)
            ],
        }
    ],
}


TARRED = b"a.csv".ljust(257, b"\0") + b"ustar\0" + b"\0" * 300


def test_pictures_are_not_read_for_a_task_of_texts(tmp_path: Path) -> None:
    entries = [{"image": {"bytes": bytes([n]), "path": "x"}, "label": n % 2} for n in range(30)]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"image \(pictures\).*classify is not learned from pic"):
        read(str(tmp_path / "a.parquet"), "classify")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.pdf", b"%PDF-1.7\n", "is a PDF; convert it"),
        ("a.txt", b"%PDF-1.7\n", "is a PDF; convert it"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office file"),
        ("a.docx", zipped("word/document.xml"), "is an Office file"),
        ("a.db", b"SQLite format 3\0", "database of SQLite"),
        ("a.pkl", b"\x80\x04\x95", "a pickle, which could run anything"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("a.npy", b"\x93NUMPY\x01", "an array of NumPy"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a picture"),
        ("a.html", "<!DOCTYPE html><html><p>x</p>", "is HTML"),
        ("a.txt", "<html><body><p>x</p></body></html>", "is HTML"),
        ("a.xml", "<rows><row>x</row></rows>", "neither TMX nor XLIFF|is markup"),
        ("a.arff", "@relation x\n@attribute y", "an ARFF file"),
        ("a.tex", "\\documentclass{article}\n", "LaTeX source"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHi\n", r"subtitles \(SRT\)"),
        ("a.po", 'msgid "a"\nmsgstr "b"\n', "a gettext catalogue"),
        ("a.svm", "1 3:0.5 7:1 9:2\n0 2:1 3:4\n", "features in numbers"),
        ("a.yaml", "---\n- text: a\n", "is YAML"),
        ("b.yaml", 'version: "3.1"\nnlu:\n- intent: greet\n', "is YAML"),
        ("b.arff", "% from Weka\n\n@RELATION x\n@ATTRIBUTE y", "an ARFF file"),
        ("b.tex", "% my thesis\n\\documentclass{article}\n", "LaTeX source"),
        ("a.pkl", b"\x80\x02]q\x00(K\x01K\x02e.", "a pickle, which could run anything"),
        ("a.feather", b"ARROW1\0\0\xff\xff", "an Arrow file"),
        ("a.tar", TARRED, "a tar archive"),
        ("a.tgz", gzip.compress(TARRED, mtime=0), "a tar archive"),
        ("a.txt", zipped("word/document.xml"), "a zip archive or an Office file"),
        ("a.sql", "-- dump\nCREATE TABLE r (t TEXT);\n", "is SQL"),
        ("a.ini", "; mine\n[a]\nx = 1\n", "a file of settings"),
        ("a.bib", "@article{a, title={X}}\n", "is BibTeX"),
        ("a.eml", "Return-Path: <a@b.example>\nSubject: x\n", "an e-mail"),
        ("a.vcf", "BEGIN:VCARD\nFN:A\n", "a file of contacts"),
        ("a.ass", "[Script Info]\nTitle: x\n", r"subtitles \(SSA\)"),
        ("a.txt", "# A tibble: 3 × 2\n  text label\n", "a table that R printed"),
        ("a.wiki", '{| class="wikitable"\n! text !! label\n', "a table of a wiki"),
        ("a.rst", "=====  =====\ntext   label\n=====  =====\n", "a table of reStructuredText"),
        ("a.txt", "****** 1. row ******\n text: a\n", "rows that MySQL printed"),
        ("a.strings", '/* x */\n"Hi" = "Hallo";\n', "texts of an app"),
        ("nlu.md", "## intent:greet\n- hey\n", "Rasa's examples"),
        ("race.txt", '{"article": "It rained.", "options": [["a", "b"]]}', "no array of objects"),
        ("a.lrc", "[ar:x]\n[00:01.10]la\n[00:02.10]la\n[00:03.10]la\n", "song lines"),
        ("a.arrow", b"\xff\xff\xff\xff\x10\0\0\0", "a stream of Arrow"),
        ("a.gz", gzip.compress(gzip.compress(CSV.encode(), mtime=0), mtime=0), "packed twice"),
        ("a.dta", b"<stata_dta><header>", "a file of Stata"),
        ("a.sav", b"$FL2@(#) SPSS DATA FILE\0\0", "a file of SPSS"),
        ("a.sas7bdat", bytes(range(200)), "is no text .21 of its first 200 bytes are control"),
        ("a.tsv", "#FORMAT=WebAnno TSV 3.3\n\n1-1\t0-4\tAnna\tPER\n", "WebAnno's table"),
        ("a.csv", "".join(f'"{label},""{text}"""\n' for text, label in TEXTS), "quoted cell that"),
        ("a.txt", "".join(f"{n / 7}\n" for n in range(30)), "holds a number on each line"),
        ("a.ts", "<?xml version='1.0'?><TS><message/></TS>", "neither TMX nor XLIFF; convert it"),
        ("a.vw", "1 |text a fine film\n-1 |text a dull one\n", "Vowpal Wabbit"),
        ("a.fasta", ">x\nACGTACGTACGTACGTACGTACGT\n", "FASTA"),
        ("a.ann", "T1\tPER 0 4\tAnna\n", "brat's notes"),
        ("n.txt", "1:\n1488844,3,2005-09-06\n", "ratings by film"),
        ("a.ipynb", '{"cells": [{"source": ["x"]}], "nbformat": 4}', "a notebook"),
        ("c.json", '{"images": [{"id": 1}], "annotations": [{"id": 1}]}', "COCO"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_with_the_way_out(
    tmp_path: Path, name: str, content: str | bytes, what: str
) -> None:
    with pytest.raises(ValueError, match=f"{name}.*({what})"):
        reading(tmp_path, name, content)


OPTIONS = {
    "race": {"article": "It rained.", "question": "Was it dry?", "options": ["yes", "no"]},
    "arc": {"question": {"stem": "Is it dry?", "choices": [{"text": "yes"}, {"text": "no"}]}},
    "mmlu": {"question": "Is it dry?", "A": "yes", "B": "no", "C": "maybe"},
    "swag": {"ctx": "It is dry and", "ending0": "it rains", "ending1": "it does not"},
    "written": {"question": "Is it dry?", "choices": "['yes', 'no']"},
}


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize(
    ("name", "answers"), [("answer", "AB"), ("answerKey", "AB"), ("label", "01")]
)
def test_questions_with_options_are_named_as_not_read(
    tmp_path: Path, kind: str, name: str, answers: str
) -> None:
    entries = [{"n": n, **OPTIONS[kind], name: answers[n % 2]} for n in range(30)]
    with pytest.raises(ValueError, match=rf"one of several options .*{name}: .*--task match"):
        reading(tmp_path, "a.jsonl", "".join(json.dumps(e) + "\n" for e in entries))


@pytest.mark.parametrize(("name", "row"), [
    ("mc160.train.tsv", ("mc.{n}", "Author: x", "It rained.\\newlineAnna left {n}.",
                         "one: Was it {n}?", "dry", "a {n}", "yes", "no",
                         "multiple: Who left on {n}?", "Anna", "Ben", "she of {n}", "nobody")),
    ("mmlu.csv", ("It is dry on day {n} and", "it rains", "a {n}", "it does not", "so", "{l}")),
])  # fmt: skip
def test_questions_with_options_in_columns_without_names_are_named_too(
    tmp_path: Path, name: str, row: tuple[str, ...]
) -> None:
    mark = "\t" if name.endswith(".tsv") else ","
    rows = [mark.join(row).format(n=n, l="ABCD"[n % 4]) + "\n" for n in range(30)]
    options = "columns 5, 6, 7, 8" if mark == "\t" else "columns 2, 3, 4, 5"
    with pytest.raises(ValueError, match=rf"one of several options .{options}.*--task match"):
        reading(tmp_path, name, "".join(rows))


def test_a_question_with_its_answer_text_and_source_has_no_options(tmp_path: Path) -> None:
    rows = (
        f"Was it {n}?\tday {n}\tIt rained on day {n}, and it did not stop for {n} hours, they say; "
        f"then the lamp fell, all of it.\thttp://x.y/{n}\n"
        for n in range(30)
    )
    try:
        reading(tmp_path, "a.tsv", "".join(rows))
    except ValueError as error:
        assert "options" not in str(error)


def test_lists_beside_labels_are_no_options(tmp_path: Path) -> None:
    entries = [{"text": t, "choices": [t, "x"], "label": k} for t, k in TEXTS]
    found = reading(
        tmp_path, "a.jsonl", "".join(json.dumps(e) + "\n" for e in entries), task="classify"
    )
    assert found.names == ("text", "label")


def put_languages(folder: Path, *sides: tuple[str, str]) -> Path:
    for code, text in sides:
        (folder / code).mkdir(parents=True)
        for n in range(9):
            (folder / code / f"{n}.txt").write_text(text.format(n))
    return folder


def test_the_same_files_in_folders_of_languages_are_asked_about(tmp_path: Path) -> None:
    folder = put_languages(
        tmp_path / "docs", ("de", "Haus {0}\nBaum {0}\n"), ("en", "house {0}\ntree {0}\n")
    )
    for path in (folder, tmp_path):
        with pytest.raises(ValueError, match="2 ways.*\n.*translate --source en.*\n.*classify"):
            read(str(path))
    found = read(str(folder), "translate")
    assert ("house 3", "Haus 3") in rows(found) and ("tree 8", "Baum 8") in rows(found)
    assert read(str(folder), None, source="de", target="en").names == ("de", "en")
    assert read(str(folder), "classify").splits["train"][0]["label"] in ("de", "en")


def test_files_of_other_lengths_in_folders_of_languages_are_a_text_each(tmp_path: Path) -> None:
    put_languages(tmp_path / "train", ("fr", "maison {0}\narbre\n"), ("en", "house {0}, tree\n"))
    found = read(str(tmp_path), "translate")
    assert ("house 3, tree", "maison 3\narbre") in rows(found)
    assert "each file is one text" in found.description
