"""Every task of `regard.tasks.TASKS` on data of a few rows, with a small network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard.data.reading.corpus import Corpus
from regard.models import model_class
from regard.tasks import task_class
from tests.data.any_task import read_as as read
from tests.pictures import drawn_file, mask_of, png
from tests.tables.corpora import corpus_of

WORDS = ("ab", "bad", "cab", "dab", "e", "ace", "bee", "dad")
PAIRS = [(one, other) for one in WORDS for other in WORDS]
PLACES = ("garden", "office", "kitchen")
PEOPLE = ("Mary", "John", "Daniel", "Sandra")


def _table(*rows: tuple[str, ...]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


TRANSLATE = _table(
    ("source", "target"), *((f"{a} {b}", f"{b.upper()} {a.upper()}") for a, b in PAIRS)
)
CLASSIFY = _table(
    ("text", "label"),
    *((f"{a} {b} {a}", "with" if "c" in a + b else "without") for a, b in PAIRS),
)
TEXT_TO_TEXT = _table(("input", "output"), *((f"{a} {b}", f"{b} {a}.") for a, b in PAIRS))
MATCH = _table(
    ("left", "right", "label"),
    *((f"{a} {b}", f"{b} {a} {b}", "yes" if a < b else "no") for a, b in PAIRS),
)
TAG = "".join(
    json.dumps(
        {
            "words": "\t".join((one, other, one.title())),
            "tags": "\t".join(("B-C" if "c" in one else "O", "O", "I-D" if "d" in one else "O")),
        }
    )
    + "\n"
    for one, other in PAIRS
)
EXTRACT = "".join(
    json.dumps(
        {
            "context": f"{one} is in the {here}. {other} is  in the old {there}!",
            "question": f"Where is {asked}?",
            "answer": {one: here, other: f"old {there}"}.get(asked, ""),
            "answers": "\t".join({one: [here], other: [f"old {there}", there]}.get(asked, [])),
        }
    )
    + "\n"
    for here in PLACES
    for there in PLACES
    for one, other in zip(PEOPLE, PEOPLE[1:], strict=False)
    for asked in PEOPLE
)
ANSWER = "".join(
    json.dumps(
        {
            "story": f"{one} went to the {here}.\n{other} went to the {there}.",
            "question": f"Where is {other}?",
            "answer": there,
            "support": "2",
        }
    )
    + "\n"
    for here in PLACES
    for there in PLACES
    for one in PEOPLE
    for other in PEOPLE
    if one != other
)
REGRESS = _table(
    ("text", "stars"), *((f"{a} {b} {a}", f"{(a + b).count('c') * 1.5 + 1:g}") for a, b in PAIRS)
)
LETTERS = _table(
    ("text", "labels"),
    *((f"{a} {b} {a}", "|".join(each for each in "bcd" if each in a + b)) for a, b in PAIRS),
)
SIMILARITY = _table(
    ("left", "right", "score"),
    *((f"{a} {b}", f"{b} {a} {b}", f"{len({*a} & {*b}) + 0.5}") for a, b in PAIRS),
)
PICTURES = [
    {
        "image": png((40 * n % 256, 30 * n % 256, 200 * (n % 3 == 0)), (7 + n % 3, 8), f"{n}.png"),
        "label": "other" if n % 3 else "blue",
    }
    for n in range(60)
]
SCENES = [
    {
        "image": png((40 * n % 256, 250 - n, 30 * n % 256), (8, 7 + n % 3), f"{n}.png"),
        "mask": mask_of((8, 7 + n % 3), n, f"{n}.png"),
    }
    for n in range(60)
]
CAPTIONED = [
    {"image": row["image"], "caption": f"{one} {row['label']} {n % 3}", "boxes": f"{one} 0 0 0.5 1"}
    for n, row in enumerate(PICTURES)
    for one in ("all", "now")
]
SHOWN: dict[str, list[dict[str, Any]]] = {
    **{"image_classify": PICTURES, "segment": SCENES, "caption": CAPTIONED},
}
"""Task → rows with pictures."""
RECOMMEND = _table(
    ("user", "item", "rating", "timestamp"),
    *(
        (f"u{user}", f"i{(user * 3 + time * time) % 11}", "1", str(time))
        for user in range(9)
        for time in range(6)
    ),
)


@dataclass(frozen=True)
class TaskRow:
    """A task, its data, its network, and what it can be asked.

    Args:
        file: the name of its data and what stands in it; None where it makes its own. Rows of
            `tag` and `extract`, and pictures, become a corpus as they are.
        network: of `MODELS`, with its choices.
        settings: those that make it small.
        asked: a text as on a command line.
        answers: how many it gives where two are asked for.
    """

    name: str
    file: tuple[str, str] | None
    network: tuple[str, dict[str, Any]]
    settings: dict[str, Any]
    asked: str
    answers: int = 2

    def corpus(self, folder: Path) -> Corpus | None:
        """The data, read."""
        if self.file is None:
            return None
        schema = task_class(self.name).schema
        if self.name in SHOWN:
            return corpus_of(schema, SHOWN[self.name])
        if self.name in ("tag", "extract"):
            return corpus_of(schema, [json.loads(line) for line in self.file[1].splitlines()])
        return read(str(self.written(folder)), [schema], self.name)

    def written(self, folder: Path) -> Path:
        """The data as a file of a folder; pictures as a folder of those of their labels."""
        assert self.file is not None, "the task makes its own"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file[0]
        for row in SHOWN.get(self.name, ()):
            folders = {"image": row.get("label", "images"), "mask": "masks"}
            for cell, folder_name in folders.items():
                if cell in row:
                    place = path / folder_name / row[cell].name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(row[cell].content)
        if self.name == "caption":
            (path / "captions.jsonl").write_text(
                "".join(json.dumps({**row, "image": row["image"].name}) + "\n" for row in CAPTIONED)
            )
        if self.name in SHOWN:
            return path
        path.write_text(self.file[1])
        return path

    def made_settings(self, **changes: Any) -> Any:
        """The settings as an object."""
        return task_class(self.name).settings_type.from_entries(self.settings | changes)

    def made_network(self, **sizes: Any) -> nn.Module:
        """A new network of the sizes that the data decides."""
        name, choices = self.network
        kind = model_class(name)
        torch.manual_seed(0)
        known = {size: sizes[size] for size in kind.config_type.from_data if size in sizes}
        return kind(kind.config_type.from_entries(choices | known))

    def made(self, folder: Path, settings: Any = None, **more: Any) -> Any:
        """The task with a new network."""
        data: Any = self.corpus(folder / "read")
        known = self.made_settings() if settings is None else settings
        return task_class(self.name)(data, self.made_network, known, **more)


CHARACTERS = {"kind": "characters"}
SMALL_T5 = {
    "embed_dim": 4,
    "num_heads": 2,
    "head_dim": 3,
    "ff_dim": 5,
    "layers": 1,
    "dropout": 0.0,
    "attention": {"dropout": 0.0},
}
ROWS: dict[str, TaskRow] = {
    row.name: row
    for row in (
        TaskRow(
            "translate",
            ("pairs.tsv", TRANSLATE),
            ("rnnsearch", {"embed_dim": 4, "hidden_dim": 5, "maxout_dim": 3, "dropout": 0.0}),
            {"tokens": CHARACTERS, "batch_tokens": 120, "extra_length": 2, "eval_batch_size": 4},
            "bad cab",
        ),
        TaskRow(
            "text_to_text",
            ("pairs.tsv", TEXT_TO_TEXT),
            ("t5", SMALL_T5),
            {
                "tokens": CHARACTERS,
                "prefix": "turn: ",
                "batch_tokens": 160,
                "extra_length": 2,
                "eval_batch_size": 4,
            },
            "bad cab",
        ),
        TaskRow(
            "span_corruption",
            ("text.txt", "abcd bad cab dab ace bee\n" * 150),
            ("t5", SMALL_T5),
            {"tokens": CHARACTERS, "length": 20, "batch_size": 5, "sentinels": 4},
            "bad c<extra_id_0>b",
        ),
        TaskRow(
            "permutation_lm",
            ("text.txt", "abcd bad cab dab ace bee\n" * 60),
            ("xlnet_lm", {"embed_dim": 4, "num_heads": 2, "ff_dim": 4, "layers": 2}),
            {"tokens": CHARACTERS, "block": 20, "batch_size": 5, "one_in": 5},
            "bad c<mask>b d<mask>b",
        ),
        TaskRow(
            "classify",
            ("labels.tsv", CLASSIFY),
            ("lstm", {"embed_dim": 4, "hidden_dim": 3, "dropout": 0.0, "word_dropout": 0.0}),
            {"tokens": CHARACTERS, "batch_tokens": 120, "smoothing": 0.1, "longest": 9},
            "bad cab",
        ),
        TaskRow(
            "regress",
            ("stars.tsv", REGRESS),
            ("lstm", {"embed_dim": 4, "hidden_dim": 3, "dropout": 0.0, "word_dropout": 0.0}),
            {"tokens": CHARACTERS, "batch_tokens": 120, "longest": 9},
            "bad cab",
            answers=1,
        ),
        TaskRow(
            "multilabel",
            ("letters.tsv", LETTERS),
            ("lstm", {"embed_dim": 4, "hidden_dim": 3, "dropout": 0.0, "word_dropout": 0.0}),
            {"tokens": CHARACTERS, "batch_tokens": 120, "longest": 9, "threshold": 0.4},
            "bad cab",
        ),
        TaskRow(
            "image_classify",
            ("pictures", ""),
            ("resnet", {"shape": "cifar(depth=8, width=2)"}),
            {"size": 6, "short_side": 7, "batch_size": 9, "smoothing": 0.1},
            str(drawn_file((200, 10, 30), (9, 8))),
        ),
        TaskRow(
            "segment",
            ("pictures", ""),
            ("unet", {"depth": 1, "width": 3}),
            {"size": 6, "short_side": 7, "batch_size": 9, "dice": 0.5},
            str(drawn_file((200, 10, 30), (9, 8))),
            answers=1,
        ),
        TaskRow(
            "caption",
            ("pictures", ""),
            (
                "captioner",
                {"shape": "cifar(depth=8, width=2)", "embed_dim": 4, "hidden_dim": 5}
                | {"attention": "soft(attention_dim=3)", "dropout": 0.0},
            ),
            {"size": 6, "short_side": 7, "batch_size": 9, "smoothing": 0.1, "max_tokens": 5},
            str(drawn_file((200, 10, 30), (9, 8))),
        ),
        TaskRow(
            "tag",
            ("sentences.jsonl", TAG),
            ("lstm_tagger", {"embed_dim": 4, "hidden_dim": 3, "dropout": 0.0, "word_dropout": 0.0}),
            {"batch_tokens": 30, "longest": 9},
            "bad cab, Ace",
            answers=1,
        ),
        TaskRow(
            "match",
            ("pairs.tsv", MATCH),
            ("abcnn", {"embed_dim": 4, "hidden_dim": 3}),
            {"tokens": CHARACTERS, "batch_tokens": 160, "longest": 16},
            "bad cab\tcab",
        ),
        TaskRow(
            "similarity",
            ("alike.tsv", SIMILARITY),
            ("abcnn", {"embed_dim": 4, "hidden_dim": 3}),
            {"tokens": CHARACTERS, "batch_tokens": 160, "longest": 16},
            "bad cab\tcab",
            answers=1,
        ),
        TaskRow(
            "answer",
            ("stories.jsonl", ANSWER),
            ("memory", {"embed_dim": 4, "hops": 2, "noise": 0.0}),
            {"batch_size": 7},
            "Mary went to the garden. Where is Mary?",
        ),
        TaskRow(
            "extract",
            ("passages.jsonl", EXTRACT),
            ("attentive_reader", {"embed_dim": 4, "hidden_dim": 3, "dropout": 0.0}),
            {"batch_tokens": 200, "longest": 30, "longest_answer": 3, "buckets": 7},
            "Mary is in the garden. Where is Mary?",
        ),
        TaskRow(
            "recommend",
            ("chosen.tsv", RECOMMEND),
            ("din", {"embed_dim": 3, "hidden_dim": 4, "second_dim": 3, "activation": "prelu"}),
            {"batch_tokens": 60, "loss": "binary(negatives=2)", "top_k": 3, "impressions": 2},
            "i1, i4",
        ),
        TaskRow(
            "language_model",
            ("text.txt", "abcd bad cab\n" * 60),
            ("transformer_lm", {"embed_dim": 4, "num_heads": 2, "ff_dim": 4, "layers": 1}),
            {"block": 8, "batch_size": 5, "length": 4},
            "bad",
        ),
        TaskRow(
            "masked_lm",
            ("text.txt", "".join(f"{a} {b} {a}\n" for a, b in PAIRS * 6)),
            (
                "bert_masked_lm",
                {"embed_dim": 4, "num_heads": 2, "ff_dim": 4, "layers": 1, "dropout": 0.0},
            ),
            {"tokens": {"kind": "bert", "size": 24}, "block": 10, "batch_size": 5},
            "bad [MASK]",
        ),
        TaskRow(
            "dates",
            None,
            ("rnnsearch", {"embed_dim": 4, "hidden_dim": 5, "maxout_dim": 3, "dropout": 0.0}),
            {
                "languages": ("en", "fr"),
                "examples_per_epoch": 50,
                "batch_size": 8,
                "valid_questions": 8,
                "test_questions": 80,
                "eval_batch_size": 16,
                "max_length": 5,
            },
            "<fr> mardi 3 mars 2026",
        ),
    )
}
