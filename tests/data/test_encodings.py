"""In which encoding files are is found, said and obeyed, however the data lies."""

from pathlib import Path

import pytest

from regard.data.reading.text_encoding import encoding_of
from tests.data.any_task import read

ENGLISH = [f"it was a fine day, number {n}" for n in range(40)]
GERMAN = [f"es war ein schöner Tag über Köln, Nummer {n}" for n in range(40)]
CHINESE = [f"今天天气很好，我们去公园散步，第{n}次" for n in range(40)]


def written(folder: Path, files: dict[str, tuple[list[str], str]]) -> str:
    for name, (texts, encoding) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(f"{text}\n" for text in texts).encode(encoding))
    return str(folder)


def texts_of(corpus, column: str) -> set[str]:
    return {row[column] for part in corpus.splits.values() for row in part}


@pytest.mark.parametrize(
    ("texts", "encoding", "found"),
    [(GERMAN, "cp1252", "cp1252"), (CHINESE, "gb18030", "gb18030"), (GERMAN, "utf-16", "utf-16"),
     (GERMAN, "utf-16-le", "utf-16-le")],
)  # fmt: skip
@pytest.mark.parametrize("names", [("src-train.txt", "tgt-train.txt"), ("train.en", "train.xx")])
def test_each_of_two_sides_has_its_encoding_which_is_said(
    tmp_path: Path, texts: list[str], encoding: str, found: str, names: tuple[str, str]
) -> None:
    one, two = names
    folder = written(tmp_path, {one: (ENGLISH, "utf-8"), two: (texts, encoding)})
    corpus = read(folder)
    assert corpus.task == "translate" and texts_of(corpus, "target") == {*texts}
    assert f"{two} is read as {found}, found by its bytes; say another" in corpus.description
    assert f"{one} is read" not in corpus.description


@pytest.mark.parametrize("names", ["reviews.{}", "{}.txt", "train/{}/1.txt"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_files_of_labels_are_read_in_their_encoding_which_is_said(
    tmp_path: Path, names: str, encoding: str
) -> None:
    files = {names.format(label): (GERMAN, encoding) for label in ("pos", "neg")}
    if "/" in names:
        more = {name.replace("1.txt", "2.txt"): (GERMAN[1:], encoding) for name in files}
        files |= more
    corpus = read(written(tmp_path, files))
    assert corpus.task == "classify" and corpus.labels == ("neg", "pos")
    assert GERMAN[3] in "".join(texts_of(corpus, "text"))
    assert f"are read as {encoding}, found by their bytes; say another" in corpus.description


def test_short_texts_of_one_folder_are_in_one_encoding(tmp_path: Path) -> None:
    words = [
        "schöne Grüße",
        "Straße",
        "für dich",
        "süß",
        "Übung macht müde",
        "größer",
        "weiß",
        "Öl",
    ]
    files = {f"train/{('pos', 'neg')[n % 2]}/{n}.txt": ([word], "cp1252")
             for n, word in enumerate(words * 2)}  # fmt: skip
    corpus = read(written(tmp_path, files))
    assert texts_of(corpus, "text") == {*words}
    assert "16 files are read as cp1252, found by their bytes" in corpus.description


@pytest.mark.parametrize("names", ["{}-train.txt", "train.{}", "reviews.{}"])
def test_an_encoding_that_is_said_is_obeyed_without_a_word(tmp_path: Path, names: str) -> None:
    ends = ("pos", "neg") if "reviews" in names else ("src", "tgt")
    # The same bytes are text in both.
    one, two = (names.format(end) for end in ends)
    greek = [f"καλή μέρα {n}" for n in range(40)]
    folder = written(tmp_path, {one: (ENGLISH, "cp1253"), two: (greek, "cp1253")})
    column = "text" if "reviews" in names else "target"
    said = read(folder, encoding="cp1252")
    assert greek[0].encode("cp1253").decode("cp1252") in texts_of(said, column)
    assert "is read as" not in said.description and "are read as" not in said.description
    assert greek[0] in texts_of(read(folder, encoding="cp1253"), column)


def test_each_of_several_tables_has_its_encoding(tmp_path: Path) -> None:
    def rows(texts: list[str]) -> list[str]:
        return ["text,label", *(f'"{text}",{("a", "b")[n % 2]}' for n, text in enumerate(texts))]

    files = {"train.csv": (rows(ENGLISH), "utf-8"), "test.csv": (rows(GERMAN), "cp1252")}
    corpus = read(written(tmp_path, files))
    assert {row["text"] for row in corpus.splits["test"]} == {*GERMAN}
    assert "test.csv is read as cp1252, found by its bytes" in corpus.description


def test_each_file_of_stories_has_its_encoding(tmp_path: Path) -> None:
    def story(place: str) -> list[str]:
        return [f"1 Jürgen ging nach {place}.", f"2 Wo ist Jürgen? \t{place}\t1"]

    files = {"qa1_train.txt": (story("Köln") + story("Rom"), "utf-8"),
             "qa1_test.txt": (story("Köln") * 9, "cp1252")}  # fmt: skip
    corpus = read(written(tmp_path, files), "answer")
    assert {row["answer"] for row in corpus.splits["test"]} == {"Köln"}
    assert "qa1_test.txt is read as cp1252" in corpus.description


WITHOUT_LETTERS = {
    "Chinese": "今天天气很好，我们去公园散步吧。\n他说这本书非常有意思\n",
    "Japanese": "今日は天気がいいので公園へ行きましょう\n",
    "Korean": "오늘은 날씨가 좋아서 공원에 갑니다\n",
    "Russian": "Сегодня хорошая погода\n",
    "one line": "今天天气很好我们去公园散步吧",
}
"""Texts in which hardly a character has a NUL byte."""


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
@pytest.mark.parametrize("text", WITHOUT_LETTERS.values(), ids=WITHOUT_LETTERS)
def test_utf16_without_a_mark_is_found_in_every_script(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes((text * 3).encode(encoding))
    assert encoding_of(path) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Chinese", "gb18030"), ("one line", "gb18030"), ("Japanese", "shift_jis"),
     ("Japanese", "euc_jp"), ("Korean", "euc_kr"), ("Russian", "cp1251")],
)  # fmt: skip
def test_older_encodings_of_the_same_texts_are_not_taken_for_utf16(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes((WITHOUT_LETTERS[text] * 3).encode(encoding))
    assert encoding_of(path) == encoding


def test_a_stray_nul_makes_no_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("".join(f"{text}\n" for text in GERMAN).encode("cp1252")[:-2] + b"\0\n")
    assert not encoding_of(path).startswith("utf-16")


SHORT = {
    "cp1254": ["İstanbul'da yağmur yağıyor", "Garson bize karşı çok kibardı", "Işıklar söndü"],
    "cp1255": ["שלום לכולם", "היום מזג האוויר יפה", "הספר הזה היה טוב מאוד"],
    "cp1253": ["Καλημέρα σε όλους", "Το φαγητό ήταν πολύ καλό", "Ο σερβιτόρος ήταν ευγενικός"],
    "cp1251": ["Привіт усім", "Її п'єса йде щовечора", "Еда была очень вкусной", "все было так"],
    "koi8_r": ["Привет всем", "Сегодня хорошая погода", "Еда была очень вкусной"],
    "cp1252": ["Það er gott að sofa", "þú ert góður", "Où êtes-vous", "Más tarde comió",
               "El niño ¿qué pasó? ¡Señor!", "tämä on hyvä äiti öljy", "it’s 5€ — “don’t” buy £"],
    "cp1250": ["List był ładny, ale źle się spóźnił", "nagyon jó könyv volt és őszinte, űr",
               "vrlo dobra knjiga, čitao sam žutu jučer", "veľmi dobrá kniha, čítal som včera"],
    "iso8859_2": ["Książka wciąga już i śnieg też był", "Příliš žluťoučký kůň úpěl"],
    "cp850": ["på dansk blåbær øl æble", "perché la città è più bella, così però", "Käse für müde"],
    "cp852": ["Příliš žluťoučký kůň úpěl ďábelské ódy"],
    "mac_roman": ["le café était très agréable où l’élève", "Käse schön für große Gäste"],
    "euc_kr": ["이 책은 재미없다"],
    "gb18030": ["今天天气很好", "服务员很有礼貌"],
    "cp1256": ["الطعام كان لذيذا", "الطقس جميل اليوم"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in SHORT.items() for text in texts]
)
def test_a_short_text_is_read_in_its_alphabet(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert text.encode(encoding).decode(encoding_of(tmp_path / "a.txt")) == text


def test_short_japanese_texts_are_not_korean(tmp_path: Path) -> None:
    kinds = ("良い", "悪い")
    rows = "".join(f"この映画は{n}番目に良かったです,{kinds[n % 2]}\n" for n in range(60))
    (tmp_path / "a.csv").write_bytes(("text,label\n" + rows).encode("shift_jis"))
    assert set(read(str(tmp_path / "a.csv")).labels) == {*kinds}
