"""Files of annotation tools, of benchmarks and of chat models: read, or named with the way out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.any_task import read
from tests.data.test_file_kinds import reading


def entries(count: int = 30, **values: Any) -> str:
    """Lines of JSON; `{n}` in a text is the number of its line, and a tuple is taken in turn."""

    def of(value: Any, n: int) -> Any:
        if isinstance(value, tuple):
            return of(value[n % len(value)], n)
        return value.replace("{n}", str(n)) if isinstance(value, str) else value

    return "".join(
        json.dumps({k: of(v, n) for k, v in values.items()}) + "\n" for n in range(count)
    )


ROWS = [{"text": "x"}] * 3
SAYS = "so it was said on day {n}"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        (
            "dpo.jsonl",
            entries(prompt=SAYS, chosen=f"{SAYS} a", rejected=f"{SAYS} b"),
            "preferences",
        ),
        ("hh.jsonl", entries(chosen=f"{SAYS} a", rejected=f"{SAYS} b"), "preferences"),
        (
            "kto.jsonl",
            entries(prompt=SAYS, completion=f"{SAYS}!", label=(True, False)),
            "good ones",
        ),
        ("p.jsonl", entries(text=SAYS, label=("A", "B"), answer=("accept", "reject")), "Prodigy"),
        ("oasst.jsonl", entries(parent_id="{n}", text=SAYS, role=("a", "b")), "conversations"),
        (
            "gemini.jsonl",
            entries(contents=[{"role": "user", "parts": [{"text": "so"}]}]),
            "turn by",
        ),
        (
            "hotpot.json",
            json.dumps(
                [
                    {
                        "question": "a?",
                        "answer": "b",
                        "supporting_facts": [["A", 0]],
                        "context": [["A", ["b"]]],
                    }
                ]
                * 4
            ),
            "HotpotQA",
        ),
        (
            "drop.json",
            json.dumps(
                {
                    "a": {"passage": "b", "qa_pairs": [{"question": "c"}]},
                    "b": {"passage": "d", "qa_pairs": [{"question": "e"}]},
                }
            ),
            "DROP",
        ),
        (
            "news.csv",
            "question,story_text,answer_char_ranges\n" + f"who?,{SAYS},1:2\n" * 9,
            "NewsQA",
        ),
        ("spacy.json", json.dumps([["Anna", {"entities": [[0, 4, "PER"]]}]]), "spaCy's pairs"),
        (
            "docs.json",
            json.dumps([{"id": 0, "paragraphs": [{"raw": "Anna"}]}]),
            "spaCy's documents",
        ),
        (
            "snips.json",
            json.dumps({"a": {"rows": ROWS}, "b": {"rows": ROWS}}),
            "tables of the same columns at a.rows, b.rows",
        ),
        (
            "keys.json",
            json.dumps({"good": [{"text": "x"}] * 3, "bad": [{"text": "y"}] * 2}),
            "tables of the same columns at good, bad",
        ),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_what_a_tool_wrote_that_no_task_reads_is_named(
    tmp_path: Path, name: str, content: str, what: str
) -> None:
    with pytest.raises(ValueError, match=f"{name} .*{what}"):
        reading(tmp_path, name, content)


def test_what_was_accepted_alone_is_read(tmp_path: Path) -> None:
    content = entries(text=SAYS, label=("A", "B"), answer="accept")
    assert reading(tmp_path, "a.jsonl", content).names == ("text", "label")


def test_stories_of_coqa_are_read_a_question_a_row(tmp_path: Path) -> None:
    story = "Anna came late. It rained."
    asked = [("Who came?", 0, "Anna "), ("Why?", -1, "unknown"), ("So?", 15, " It rained")]
    data = {
        "story": story,
        "questions": [{"input_text": text} for text, _, _ in asked],
        "answers": [
            {"span_start": n, "span_text": text, "input_text": "x"} for _, n, text in asked
        ],
    }
    other = {**data, "story": f"{story} So it went."}
    found = reading(tmp_path, "coqa.json", json.dumps({"data": [data, other]}))
    assert found.task == "extract" and "CoQA" in found.description
    answers = {(row["question"], row["answer"]) for part in found.splits.values() for row in part}
    assert answers == {("Who came?", "Anna"), ("Why?", ""), ("So?", "It rained")}
    data["answers"] = [{}]
    with pytest.raises(ValueError, match="story 1 is none of CoQA"):
        reading(tmp_path, "bad.json", json.dumps({"data": [data]}))


def put(folder: Path, **files: str) -> str:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(folder)


def test_files_side_by_side_are_looked_at_before_they_are_a_translation(tmp_path: Path) -> None:
    words = [f"the bridge number {n} is old{' now' * (n % 3)}" for n in range(30)]
    texts = "\n".join(words)
    marked = put(
        tmp_path / "iwslt", train__en=f"<url>x</url>\n{texts}", train__de=f"<url>\n{texts}"
    )
    with pytest.raises(ValueError, match=r"train.*(de|en) is markup"):
        read(marked)
    tags = "\n".join(f"O B-thing O B-count O B-how{' O' * (n % 3)}" for n in range(30))
    slots = put(tmp_path / "atis", seq__in=texts, seq__out=tags, label="\n".join("ab" * 15))
    with pytest.raises(ValueError, match=r"paste seq.in seq.out > train.tsv"):
        read(slots)
    pasted = "\n".join(f"{one}\t{two}" for one, two in zip(words, tags.split("\n"), strict=True))
    assert reading(tmp_path, "train.tsv", pasted).task == "tag"
    halves = {"X_train": texts, "y_train": "\n".join("ab" * 15)}
    labelled = put(tmp_path / "xy", **{f"{name}__txt": text for name, text in halves.items()})
    assert read(labelled).task == "classify"


def test_a_folder_of_code_points_at_the_tables_within(tmp_path: Path) -> None:
    table = "text,label\n" + "".join(f"it was {n},{'ab'[n % 2]}\n" for n in range(30))
    put(tmp_path / "repo", setup__py="print(1)\n", README__md="# x\n")
    put(tmp_path / "repo" / "data", train__csv=table)
    with pytest.raises(ValueError, match=r"holds setup.py and tables in its folder data;.*--data"):
        read(str(tmp_path / "repo"))


def test_the_names_above_words_and_tags_are_no_word(tmp_path: Path) -> None:
    sentences = "\n".join(f"Anna\tB-PER\nsaw\tO\n{n}\tO\n" for n in range(20))
    found = reading(tmp_path, "a.tsv", f"word\ttag\n{sentences}")
    words = [row["words"] for part in found.splits.values() for row in part]
    assert sorted(words) == sorted(f"Anna\tsaw\t{n}" for n in range(20))


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["{n}.jpg", "{n}.txt"], "a file for each picture .*image,caption"),
        (["images/{n}.jpg", "labels/{n}.txt"], "boxes .YOLO. are not read"),
        (["{n}.jpg", "{n}.json"], "labelme"),
        (["{n}.jpg", "{n}.xml"], "Pascal VOC"),
        (["cat/{n}.heic", "dog/{n}.heic"], "pictures of a kind that is not read .*heic"),
        (["cat/{n}.jpg"], "at least 2 are needed; or write a table of the pictures"),
    ],
)
def test_folders_of_pictures_that_are_not_read_are_named(
    tmp_path: Path, names: list[str], what: str
) -> None:
    put(tmp_path, **{name.format(n=n): "0 0.5 0.5" for name in names for n in range(4)})
    with pytest.raises(ValueError, match=what):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        ("a.npz", "PK\3\4", "NumPy's arrays"),
        ("a.pt", "PK\3\4", "PyTorch's tensors"),
        ("train-images-idx3-ubyte", "\0\0\x08\3\0\0", "pictures of MNIST"),
        ("a.diff", "diff --git a/x b/x\n--- a/x\n", "a patch"),
        ("a.txt", "From: a@b.example\nTo: c@d.example\n\nSo it is.\n", "an e-mail"),
        ("a.lrc", "[ar:x]\n[00:01.10]her way\n[00:02.10]his la\n[00:03.10]la la\n", "song lines"),
        ("a.txt", '"so it is",\n"and was",\n' * 9, "each line between quotes"),
        ("c.json", json.dumps({"images": [], "annotations": [{"bbox": [1]}]}), "image,mask"),
        ("d.json", json.dumps({"images": [], "annotations": [{"caption": "x"}]}), "image,caption"),
    ],
    ids=lambda value: value if len(value) < 12 else "",
)
def test_what_is_none_of_the_data_is_named(
    tmp_path: Path, name: str, content: str, what: str
) -> None:
    with pytest.raises(ValueError, match=f"{name} .*{what}"):
        reading(tmp_path, name, content)


def test_a_sentence_that_is_tagged_many_times_is_tagged(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a.conll, read as tag \(words, tags\): 30 usable examples, all alike"
    ):
        reading(tmp_path, "a.conll", "Anna B-PER\nlives O\nhere O\n\n" * 30)


def test_parts_whose_endings_are_their_names_are_no_two_sides(tmp_path: Path) -> None:
    lines = [f"__label__{'ab'[n % 2]} it was {n}\n" for n in range(40)]
    put(tmp_path, cooking__train="".join(lines[:30]), cooking__valid="".join(lines[30:]))
    found = read(str(tmp_path))
    assert {split: len(part) for split, part in found.splits.items()} == {"train": 30, "valid": 10}
    uneven = put(tmp_path / "uneven", train__en="so it is\nso\n", train__de="so ist es\n")
    with pytest.raises(ValueError, match="train.en has 2 lines, .*train.de has 1"):
        read(uneven)


CATALOGUE = {"menu": {f"key{n}": f"Open it {n}" for n in range(9)}, "title": "So"}
SUBTITLES = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\nso\n\n" for n in range(9))
ICU = "de {\n" + "".join(f'    key{n} {{ "so {n}" }}\n' for n in range(9)) + "}\n"
RACE = {"article": "It rained.", "questions": ["a?", "b?"], "options": [["a", "b"]] * 2,
        "answers": ["A", "B"]}  # fmt: skip
ASKED = {"text": SAYS, "questions": [{"question": "so?", "answers": [{"text": "a", "label": 0}]}]}
NAMED = {
    "slack.json": ("messages of a chat .Slack",
                   entries(type="message", user=("U1", "U2"), text=SAYS, ts="17000{n}.0")),
    "discord.json": ("messages of a chat .Discord", json.dumps({"messages": [
        {"content": f"so {n}", "timestamp": "2024", "author": {"id": str(n % 3)}}
        for n in range(30)]})),
    "telegram.json": ("messages of a chat .Telegram", json.dumps({"messages": [
        {"text": f"so it is {n}", "date": "2024-01-01", "from": "ab"[n % 2],
         "from_id": f"user{n % 2}"} for n in range(30)]})),
    "tweets.js": ("Twitter's archive", 'window.YTD.tweets.part0 = [{"tweet": {"id": "1"}}]'),
    "de.txt": ("ICU's resources", ICU),
    "a.TextGrid": ("a TextGrid of Praat", 'File type = "ooTextFile"\nObject class = "TextGrid"\n'),
    "de.json": ("texts by their keys", json.dumps(CATALOGUE, indent=1)),
    "app.arb": ("texts by their keys", json.dumps(CATALOGUE)),
    "high1.txt": ("one of several options .RACE", json.dumps(RACE)),
    "multirc.jsonl": ("MultiRC", entries(idx="{n}", passage=ASKED)),
    "wsc.jsonl": ("WSC", entries(text=SAYS, label=(True, False), target={"span1_text": "the",
                                                                         "span2_text": "it"})),
    "a.toml": ("a file of settings", '[[rows]]\ntext = "so"\nlabel = "a"\n' * 9),
    "dialogues.txt": ("turns of a talk with __eou__", "so . __eou__ it is . __eou__\n" * 9),
    "run.txt": ("rankings or judgements", "".join(f"{n} Q0 D{n} 1 {n}.5 bm25\n" for n in range(9))),
    "qrels.txt": ("rankings or judgements", "".join(f"{n} 0 D{n} 1\n" for n in range(9))),
    "persona.txt": ("PersonaChat", "1 so it is\tso\t\ta b|c d\n2 no\tyes\t\ta b|c d\n"),
    "woz.json": ("MultiWOZ", json.dumps({f"M{n}.json": {"goal": {}, "log": [
        {"text": f"so {n}"}, {"text": "no"}]} for n in range(9)})),
    "movie_lines.txt": ("Cornell", "".join(
        f"L{n} +++$+++ u{n % 3} +++$+++ m0 +++$+++ ANNA +++$+++ so it was {n}\n"
        for n in range(30))),
    "behaviors.tsv": ("as MIND does", "".join(f"{n}\tU{n % 9}\tN{n} N{n + 1}\tN7-0 N{n}-1\n"
                                              for n in range(30))),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_what_else_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    what, content = NAMED[name]
    with pytest.raises(ValueError, match=f"(?s){name}.*{what}"):
        reading(tmp_path, name, content)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"film.en.srt": SUBTITLES, "film.de.srt": SUBTITLES}, "is subtitles .SRT"),
        ({f"{code}.json": json.dumps(CATALOGUE) for code in ("en", "de")}, "texts by their keys"),
        ({"users.json": "[]", "channels.json": "[]", "general/1.json": "[]"}, "export of Slack"),
    ],
)
def test_a_folder_of_what_is_not_read_is_named(
    tmp_path: Path, files: dict[str, str], what: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=what):
        read(str(tmp_path))


def test_objects_under_keys_of_their_own_are_rows(tmp_path: Path) -> None:
    rows = {str(n): {"text": f"so it was {n}", "label": "ab"[n % 2]} for n in range(30)}
    assert reading(tmp_path, "a.json", json.dumps(rows)).task == "classify"


def test_the_words_of_ontonotes_are_behind_its_documents(tmp_path: Path) -> None:
    words = "the lamp fell in the house today".split()
    block = "".join(
        f"bc/x 0 {n} {word} {'NN' if word in ('lamp', 'house') else 'DT'} (TOP* - - - * -\n"
        for n, word in enumerate(words)
    )
    blocks = "".join(block.replace("today", f"today{n}") + "\n" for n in range(40))
    text = "#begin document (bc/x); part 000\n" + blocks + "#end document\n"
    corpus = reading(tmp_path, "a.gold_conll", text)
    assert corpus.task == "tag"
    row = corpus.splits["train"][0]
    assert row["words"].startswith("the\tlamp") and row["tags"].startswith("DT\tNN")


def test_genres_of_films_between_bars_are_no_features(tmp_path: Path) -> None:
    rows = (
        f"{n}|Film {n} (1995)|01-Jan-1995||http://x.y/{n}|{n % 2}|{n // 2 % 2}|{int(n % 5 == 0)}\n"
        for n in range(40)
    )
    assert reading(tmp_path, "u.item", "".join(rows)).task == "multilabel"


def test_texts_that_say_that_there_is_none_are_told(tmp_path: Path) -> None:
    rows = [{"text": "[deleted]" if n % 5 == 0 else f"so it was {n}", "label": "ab"[n % 2]}
            for n in range(60)]  # fmt: skip
    said = reading(tmp_path, "a.json", json.dumps(rows)).description
    assert "12 of 60 texts hold nothing but that there is none, such as '[deleted]'" in said


def test_mails_that_are_called_by_their_digests_are_texts(tmp_path: Path) -> None:
    for n in range(12):
        folder = tmp_path / ("spam" if n % 2 else "easy_ham")
        folder.mkdir(exist_ok=True)
        (folder / f"{n:05}.7c53336b37{n:02}").write_text(f"Subject: x\n\nso it was {n}\n")
    assert read(str(tmp_path)).labels == ("easy_ham", "spam")


def test_the_tokens_of_wikitext_are_parts(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        (tmp_path / f"wiki.{part}.tokens").write_text(" \n = Valkyria = \n \n so it was . \n" * 9)
    assert {*read(str(tmp_path)).splits} == {"train", "valid"}


def test_what_a_folder_of_a_part_holds_is_said(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        (tmp_path / part).mkdir()
        for name in ("seq.in", "seq.out", "label"):
            (tmp_path / part / name).write_text("so it is\n" * 9)
    with pytest.raises(ValueError, match="and train holds label, seq.in, seq.out, of which"):
        read(str(tmp_path))
