"""Small inputs of the kinds that people have, made by code, and what is right to say of each."""

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNT = 60
DRAWN = random.Random(0)
ITEMS = "bread milk tea eggs rice beans salt oil soap jam".split()


@dataclass(frozen=True)
class Case:
    """An input: the content of each of its files, and what is to be said of it.

    Args:
        wanted: a pattern that the first sentence has, such as `read as classify`.
        whole: the folder is read, and not its only file.
    """

    name: str
    files: dict[str, str | bytes]
    wanted: str
    whole: bool = False

    def put(self, folder: Path) -> Path:
        """Write it into a folder; the path that is read."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder if self.whole else folder / next(iter(self.files))


def said(n: int) -> str:
    """A text of its own."""
    return f"the {ITEMS[n % 7]} was seen on day {n} and the {ITEMS[n * 3 % 10]} was not"


def kind(n: int) -> str:
    """A label."""
    return "good" if n % 2 else "bad"


def table(names: str, *cells: Callable[[int], Any], mark: str = ",", count: int = COUNT) -> str:
    """A table of these cells in each row, below names with commas between where there are some."""
    written = io.StringIO()
    rows = csv.writer(written, delimiter=mark, lineterminator="\n")
    if names:
        rows.writerow(names.split(","))
    rows.writerows([cell(n) for cell in cells] for n in range(count))
    return written.getvalue()


def objects(made: Callable[[int], Any], count: int = COUNT) -> str:
    """A line of JSON for each row."""
    return "".join(json.dumps(made(n)) + "\n" for n in range(count))


def array(made: Callable[[int], Any], count: int = COUNT) -> str:
    """The same as an array."""
    return json.dumps([made(n) for n in range(count)])


def of(lines: Iterable[str]) -> str:
    """Lines with their ends."""
    return "".join(f"{line}\n" for line in lines)


def times(line: Callable[[int], str], count: int = COUNT) -> str:
    """A line for each row."""
    return of(line(n) for n in range(count))


def zipped(files: dict[str, str]) -> bytes:
    """An archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


BASKETS: Sequence[Sequence[str]] = [DRAWN.sample(ITEMS, 1 + n % 6) for n in range(COUNT)]
SUBTITLES = times(lambda n: f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\n{said(n)}\n", 40)
KEYS = {f"key{n}": said(n) for n in range(40)}
RACE = {"article": said(0), "questions": ["a?"], "options": [["a", "b"]], "answers": ["A"]}
QUALTRICS = (
    'Q1,Q2,Q3\nHow was it?,"Why, in\nyour words?",How likely?\n'
    '"{""ImportId"":""QID1""}","{""ImportId"":""QID2""}","{""ImportId"":""QID3""}"\n'
)
PLAIN = table("text,label", said, kind)


def squad(wrong: Callable[[int], int]) -> str:
    """Questions whose answers are said to begin so many characters behind where they do."""
    contexts = [f"On day {n} the old lamp fell." for n in range(30)]
    found = (
        {"context": context, "qas": [{"question": "What fell?", "answers": [
            {"text": "lamp", "answer_start": context.index("lamp") + wrong(n)}]}]}
        for n, context in enumerate(contexts)
    )  # fmt: skip
    return json.dumps({"version": "1", "data": [{"paragraphs": [each]} for each in found]})


def parts() -> list[Case]:
    """Columns that divide the rows."""
    names = {
        "train_or_test": (lambda n: "train" if n % 5 else "test", "48 train|test examples"),
        "phase": (lambda n: "Train" if n % 5 else "Val", "valid examples"),
        "is_test": (lambda n: int(n % 5 == 0), "12 test examples"),
        "is_train": (lambda n: n % 5 > 0, "12 test examples"),
        "fold": (lambda n: n % 5, "48 train, 12 valid"),
        "split": (lambda n: 1 + n % 3, "a column 'split' with 1, 2, 3, which does not say"),
    }
    return [
        Case(f"column {name}", {"a.csv": table(f"text,label,{name}", said, kind, cell)}, wanted)
        for name, (cell, wanted) in names.items()
    ]


def baskets() -> list[Case]:
    """What was bought together."""
    lines = {
        "a.csv": of(",".join(b) for b in BASKETS),
        "a.tsv": of("\t".join(b) for b in BASKETS),
        "a.txt": of(", ".join(b) for b in BASKETS),
        "retail.dat": of(" ".join(str(ITEMS.index(i)) for i in b) for b in BASKETS),
        "users.csv": of(f"u{n},{','.join(b)}" for n, b in enumerate(BASKETS)),
        "numbered.csv": of(f"{n},{','.join(b)}" for n, b in enumerate(BASKETS)),
        "a.json": json.dumps(BASKETS),
        "a.jsonl": objects(lambda n: {"items": BASKETS[n]}),
        "tid.csv": "tid,items\n" + of(f'{n},"{",".join(b)}"' for n, b in enumerate(BASKETS)),
    }
    return [
        Case(f"baskets {name}", {name: text}, "read as recommend") for name, text in lines.items()
    ]


def surveys() -> list[Case]:
    """Exports of surveys and forms."""
    answers = table("", lambda n: ["well", "badly"][n % 2], said, lambda n: n % 11)
    second = "Respondent,How was it?,,Why?\n,Response,Other (please specify),Open-Ended Response\n"
    return [
        Case("Qualtrics", {"a.csv": QUALTRICS + answers}, "--text Q2 --label Q1"),
        Case(
            "SurveyMonkey",
            {"a.csv": second + table("", lambda n: 10**7 + n, kind, lambda n: "", said)},
            "read as classify",
        ),
        Case(
            "Google Forms",
            {"a.csv": table("Timestamp,How satisfied are you?,What should we improve?",
                            lambda n: f"3/{1 + n % 28}/2024 14:{n % 60:02}:05",
                            lambda n: ["Very", "Hardly"][n % 2], said)},
            "read as classify",
        ),
    ]  # fmt: skip


def tools() -> list[Case]:
    """Exports of tools for notes on texts, and of chats."""
    spans = [{"start": 4, "end": 8, "label": "X"}]
    chat = "messages of a chat"
    return [
        Case("Label Studio", {"a.json": array(lambda n: {"id": n, "data": {"text": said(n)},
             "annotations": [{"result": [{"value": {"choices": [kind(n)]}}]}]})},
             "read as classify"),
        Case("Label Studio, small", {"a.json": array(lambda n: {
            "id": n, "text": said(n), "sentiment": kind(n), "lead_time": 2.5 + n})},
             "read as classify"),
        Case("Prodigy, accepted", {"a.jsonl": objects(lambda n: {
            "text": said(n), "label": kind(n), "answer": "accept"})}, "read as classify"),
        Case("Prodigy, rejected", {"a.jsonl": objects(lambda n: {
            "text": said(n), "label": "good", "answer": ["accept", "reject"][n % 2]})}, "Prodigy"),
        Case("Prodigy, spans", {"a.jsonl": objects(lambda n: {"text": said(n), "spans": spans})},
             "marks spans of characters"),
        Case("doccano", {"a.jsonl": objects(lambda n: {
            "id": n, "text": said(n), "label": [kind(n)], "Comments": []})}, "read as classify"),
        Case("doccano, spans", {"a.jsonl": objects(lambda n: {
            "text": said(n), "label": [[4, 8, "X"]]})}, "marks spans of characters"),
        Case("Argilla", {"a.json": array(lambda n: {"fields": {"text": said(n)}, "responses": {
            "label": [{"value": kind(n), "user_id": "u"}]}})}, "read as classify"),
        Case("WebAnno", {"a.tsv": "#FORMAT=WebAnno TSV 3.2\n\n1-1\t0-1\ta\t_\n"}, "WebAnno"),
        Case("brat", {"1.txt": said(1), "1.ann": "T1\tX 0 4\tanna\n"}, "brat's notes", True),
        Case("WhatsApp", {"a.txt": times(
            lambda n: f"[{1 + n % 28:02}.03.24, 10:{n:02}:12] {'AB'[n % 2]}nna: {said(n)}")},
             "a time in each line"),
        Case("Slack", {"a.json": array(lambda n: {
            "type": "message", "user": f"U{n % 3}", "text": said(n), "ts": f"17000{n}.0"})}, chat),
        Case("Slack, folder", {"channels.json": "[]", "users.json": "[]", "x/1.json": "[]"},
             "export of Slack", True),
        Case("Discord", {"a.json": json.dumps({"messages": [{
            "content": said(n), "timestamp": "2024", "author": {"id": f"{n % 3}"}}
            for n in range(COUNT)]})}, chat),
        Case("Telegram", {"a.json": json.dumps({"messages": [{
            "text": said(n), "date": "2024-01-01", "from": "ab"[n % 2], "from_id": f"u{n % 2}"}
            for n in range(COUNT)]})}, chat),
        Case("Twitter", {"tweets.js": 'window.YTD.tweets.part0 = [{"tweet": {}}]'}, "archive"),
    ]  # fmt: skip


def translations() -> list[Case]:
    """Files of translators and of apps."""
    return [
        Case("gettext", {"de.po": times(lambda n: f'msgid "{said(n)}"\nmsgstr "x"\n')}, "gettext"),
        Case("SRT", {"a.srt": SUBTITLES}, "subtitles"),
        Case("SRT, folder", {"f.en.srt": SUBTITLES, "f.de.srt": SUBTITLES}, "subtitles", True),
        Case("ICU", {"de.txt": "de {\n" + times(lambda n: f'  k{n} {{ "{said(n)}" }}') + "}\n"},
             "ICU's resources"),
        Case("catalogue", {"en.json": json.dumps(KEYS)}, "texts by their keys"),
        Case("catalogues", {"en.json": json.dumps(KEYS), "de.json": json.dumps(KEYS)},
             "texts by their keys", True),
        Case("Quizlet in one line", {"a.txt": ";".join(f"a {w}\tein {w}{n}" for n, w in
                                                       enumerate(ITEMS))}, "read as translate"),
        Case("OPUS", {"README": "x", "B.de-en.de": times(said), "B.de-en.en": times(said)},
             "read as translate", True),
        Case("zip of two", {"a.zip": zipped({"train.csv": PLAIN, "test.csv": PLAIN})}, "2 files"),
        Case("TextGrid", {"a.TextGrid": 'File type = "ooTextFile"\nxmin = 0\n'}, "Praat"),
    ]  # fmt: skip


def logs() -> list[Case]:
    """Logs of what was looked at, bought and rated."""
    which = "--user and --item"
    return [
        Case("Otto", {"a.jsonl": objects(lambda n: {"session": n, "events": [
            {"aid": n * 7 % 30 + m, "ts": 10**12 + m, "type": "clicks"} for m in range(5)]})},
             "read as recommend"),
        Case("Diginetica", {"a.csv": table("sessionId,userId,itemId", lambda n: n // 6,
                                           lambda n: "NA", lambda n: n % 17, mark=";")},
             "read as recommend"),
        Case("Instacart", {"a.csv": table("order_id,product_id,reordered", lambda n: n // 6,
                                          lambda n: n % 17, lambda n: n % 2)}, "read as recommend"),
        Case("Book-Crossing", {"a.csv": table("User-ID,ISBN,Book-Rating", lambda n: n // 6,
                                              lambda n: f"03450{n % 17:05}X", lambda n: n % 11,
                                              mark=";")}, "read as recommend"),
        Case("Gowalla", {"a.txt": times(lambda n: f"{n // 6}\t2010-10-19T23:55:27Z\t30.2\t-97.7\t"
                                        f"{n % 17}")}, which),
        Case("Yoochoose", {"a.dat": times(lambda n: f"{n // 6},2014-04-07T10:51:09Z,{n % 17},0")},
             which),
        Case("Netflix", {"a.txt": "1:\n" + times(lambda n: f"{n},3,2005-09-06")}, "by film"),
        Case("MIND, impressions", {"behaviors.tsv": times(
            lambda n: f"{n}\tU{n % 9}\tN{n} N{n + 1}\tN7-0 N{n}-1")}, "MIND"),
        Case("u.item", {"u.item": times(lambda n: f"{n}|Film {n} (1995)|01-Jan-1995||http://x/{n}|"
                                        f"{n % 2}|{n // 2 % 2}|{int(n % 3 == 0)}|"
                                        f"{int(n % 5 == 0)}")}, "read as multilabel"),
        Case("huge ids", {"a.csv": table("user_id,item_id", lambda n: 10**19 + n // 6,
                                         lambda n: 10**25 + n % 17)}, "read as recommend"),
    ]  # fmt: skip


def benchmarks() -> list[Case]:
    """Data sets that are known."""
    word = [("the", "DT"), ("lamp", "NN"), ("fell", "VB"), ("today", "NN")]
    onto = of(f"bc/x 0 {n} {w} {t} (TOP* - - - * -" for n, (w, t) in enumerate(word))
    return [
        Case("OntoNotes", {"a.gold_conll": "#begin document (x)\n" + "".join(
            onto.replace("today", f"day{n}") + "\n" for n in range(40))}, "read as tag"),
        Case("MCTest", {"mc.train.tsv": times(lambda n: "\t".join(
            [f"mc.{n}", "Author: x", f"It rained. Anna left {n}.", f"one: Was it {n}?", "dry",
             f"a {n}", "yes", "no"]))}, "one of several options"),
        Case("MMLU", {"a.csv": table("", said, lambda n: "so", lambda n: f"a{n}", lambda n: "no",
                                     lambda n: "ABC"[n % 3])}, "one of several options"),
        Case("RACE", {"high1.txt": json.dumps(RACE)}, "one of several options"),
        Case("COPA", {"a.jsonl": objects(lambda n: {"premise": said(n), "choice1": said(n + 1),
             "choice2": said(n + 2), "label": n % 2})}, "one of several options"),
        Case("BoolQ", {"a.jsonl": objects(lambda n: {"question": f"is it {n}?", "passage": said(n),
                                                     "answer": n % 2 > 0})}, "read as answer"),
        Case("MultiRC", {"a.jsonl": objects(lambda n: {"passage": {"text": said(n), "questions": [
            {"question": "so?", "answers": [{"text": "a", "label": 0}]}]}})}, "MultiRC"),
        Case("WSC", {"a.jsonl": objects(lambda n: {"text": said(n), "label": n % 2 > 0, "target": {
            "span1_text": "the", "span2_text": "it"}})}, "WSC"),
        Case("SQuAD", {"a.json": squad(lambda n: 0)}, "read as extract"),
        Case("SQuAD, wrong starts", {"a.json": squad(lambda n: n % 2)},
             "15 of the first 30 answers do not begin"),
        Case("XNLI", {"a.tsv": table("language,gold_label,sentence1,sentence2", lambda n: "de",
                                     kind, said, lambda n: said(n + 1), mark="\t").replace(
            ",", "\t")}, "read as match"),
        Case("CommonLit", {"a.csv": table("id,excerpt,target", lambda n: f"c{n * 7919:x}", said,
                                          lambda n: round(n / 7 - 3, 4))}, "read as regress"),
        Case("Toxic", {"a.csv": table("id,comment_text,toxic,obscene,threat", lambda n: f"{n:016x}",
                                      said, lambda n: n % 2, lambda n: int(n % 3 == 0),
                                      lambda n: int(n % 7 == 0))}, "read as multilabel"),
        Case("FER2013", {"a.csv": table("emotion,pixels", lambda n: n % 3, lambda n: " ".join(
            str(n * m % 256) for m in range(60)))}, "pixels of pictures as numbers"),
        Case("ESC-50", {"a.csv": table("filename,fold,category", lambda n: f"1-{n}-A.wav",
                                       lambda n: n % 5, kind)}, "files of sound"),
        Case("TREC's run", {"a.txt": times(lambda n: f"{n // 5} Q0 D{n} {n % 5} {10 - n % 5}.5 x")},
             "rankings or judgements"),
        Case("PersonaChat", {"a.txt": "1 so it is\tso\t\ta b|c d\n2 no\tyes\t\ta b|c d\n"},
             "PersonaChat"),
        Case("Cornell", {"a.txt": times(
            lambda n: f"L{n} +++$+++ u{n % 3} +++$+++ m0 +++$+++ ANNA +++$+++ {said(n)}")},
             "Cornell"),
        Case("DailyDialog", {"a.txt": times(lambda n: f"{said(n)} __eou__ so __eou__")}, "__eou__"),
        Case("MultiWOZ", {"a.json": json.dumps({
            f"M{n}": {"log": [{"text": said(n)}, {"text": "so"}]} for n in range(9)})}, "MultiWOZ"),
        Case("WikiText", {f"wiki.{part}.tokens": times(said) for part in ("train", "valid")},
             "read as language_model", True),
        Case("SpamAssassin", {f"{['ham', 'spam'][n % 2]}/{n:05}.7c5333{n:02}": said(n)
                              for n in range(12)}, "read as classify", True),
        Case("LibriSpeech", {"a.trans.txt": times(lambda n: f"84-12-{n:04} {said(n).upper()}")},
             "a code before each line"),
        Case("boxes", {"a.csv": table("filename,class,xmin,ymin,xmax,ymax", lambda n: f"{n}.jpg",
                                      kind, *[lambda n: n % 9] * 4)}, "boxes in pictures"),
    ]  # fmt: skip


def values() -> list[Case]:
    """Numbers, dates and labels as people write them, and files with something odd in them."""

    def told(name: str, cell: Callable[[int], Any], wanted: str, column: str = "label") -> Case:
        return Case(name, {"a.csv": table(f"text,{column}", said, cell)}, wanted)

    spelled = ["True", "true", "FALSE", "False"]
    return [
        told("kg", lambda n: f"{50 + n} kg", "read as regress", "weight"),
        told("kg and lb", lambda n: f"{50 + n} {['kg', 'lb'][n % 2]}", "in one unit", "weight"),
        told("ranges", lambda n: f"{n}-{n + 5}", "in one unit", "age"),
        told("percent", lambda n: f"{n + 0.5}%", "read as regress", "share"),
        told("dollars", lambda n: f"${1000 + 7 * n:,}.50", "read as regress", "price"),
        told("infinite", lambda n: "inf" if n == 33 else n + 0.25, "must be a number", "score"),
        told("spelled flags", lambda n: spelled[n % 4], "read as classify"),
        told("signs below zero", lambda n: ["0", "-0", "1"][n % 3], "read as classify"),
        told("invisible marks", lambda n: kind(n) + "\u200f" * (n % 3), "bad 28, good 28|bad 3"),
        told("NaN as label", lambda n: ["good", "bad", "NaN"][n % 3], "read as classify"),
        Case("deleted texts", {"a.csv": table(
            "text,label", lambda n: said(n) if n % 5 else "[deleted]", kind)}, "there is none"),
        told("one class", lambda n: "good", "read as classify"),
        Case("keys in any case", {"a.jsonl": objects(
            lambda n: {["Text", "text"][n % 2]: said(n), ["label", "LABEL"][n % 3 // 2]: kind(n)})},
             "read as classify"),
        Case("marks of order within", {"a.csv": PLAIN + "\ufeff" + PLAIN}, "bad 5|bad 28"),
        Case("tabs in quotes", {"a.tsv": "text\tlabel\n" + times(
            lambda n: f'"{said(n)}\tso\nit is"\t{kind(n)}')}, "read as classify"),
        Case("long header", {
            "a.csv": table(f"What {'very ' * 60}so,label {'x' * 200}", said, kind)},
             "read as classify"),
        Case("duplicate header", {"a.csv": table("text,label,text", said, kind, said)}, "one name"),
        Case("header only", {"a.csv": "text,label\n"}, "no row below"),
        Case("one row", {"a.csv": table("text,label", said, kind, count=1)}, "1 usable example"),
        Case("NUL", {"a.csv": PLAIN.replace("day 30", "day \0")}, "NUL"),
        Case("two tables", {"a.csv": PLAIN + "\n" + table(
            "author,year", lambda n: f"a{n}", lambda n: 1990 + n, count=8)}, "another table"),
        Case("empty test", {"train.csv": PLAIN, "test.csv": ""}, "is empty", True),
        Case("other columns in test", {"train.csv": PLAIN, "test.csv": table("a,b", said, kind)},
             "has no column 'text'", True),
        Case("months", {f"r_2024_{month:02}.csv": PLAIN.replace("day", f"day {month}")
                        for month in (1, 2)}, "read as classify", True),
        Case("X and y", {"X_train.csv": table("text", said), "y_train.csv": table("label", kind)},
             "paste -d", True),
        Case("sounds", {f"{k}/{n}.wav": bytes(40) for k in "ab" for n in range(4)}, "sound", True),
        Case("PDFs", {f"{k}/{n}.pdf": bytes(40) for k in "ab" for n in range(4)}, "PDFs", True),
        Case("HTML as CSV", {"a.csv": "<!DOCTYPE html><html></html>\n"}, "HTML"),
    ]  # fmt: skip


def cases() -> list[Case]:
    """All of them."""
    made = (parts, baskets, surveys, tools, translations, logs, benchmarks, values)
    return [case for each in made for case in each()]
