"""Tiny data and tiny networks for every recipe, to train in a moment."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from regard.data.synthetic.data_sets import DATA
from tests.cli.small import put
from tests.tables.tasks import ROWS, SHOWN

CHARACTERS = {"tokens": "characters"}
RECURRENT = {"embed_dim": 8, "hidden_dim": 6}
BLOCKS = {"embed_dim": 8, "num_heads": 2, "ff_dim": 8, "layers": 1}

SMALL: dict[str, dict[str, Any]] = {
    "transformer": {**BLOCKS, **CHARACTERS},
    "t5": {**BLOCKS, **CHARACTERS, "head_dim": 3},
    "t5_pretraining": {
        **{**BLOCKS, **CHARACTERS, "head_dim": 3, "length": 8, "batch_size": 4},
        # Distances of so short texts that are not told one by one.
        **{"buckets": 4, "max_distance": 6},
    },
    "summarize": {**BLOCKS, **CHARACTERS, "head_dim": 3, "longest": 512},
    "rnnsearch": {**RECURRENT, **CHARACTERS, "maxout_dim": 4, "attention_dim": 5},
    "luong": {**RECURRENT, **CHARACTERS},
    "transformer_classifier": {**BLOCKS, **CHARACTERS},
    "lstm": {**RECURRENT, **CHARACTERS, "attention_dim": 5, "batch_tokens": 128},
    "lstm_tagger": {**RECURRENT, "batch_tokens": 128},
    "transformer_tagger": {**BLOCKS, "batch_tokens": 128},
    "attentive_reader": {**RECURRENT, "attention_dim": 5, "batch_tokens": 256, "dropout": 0.1},
    "cifar_resnet20": {
        **{"shape": "cifar(depth=8, width=2)", "size": 6, "short_side": 7, "batch_size": 8},
        **{"augment": "crop_flip(padding=1)", "block": "se(reduction=1)"},
    },
    "cifar_vit": {
        **{**BLOCKS, "size": 6, "short_side": 7, "patch_size": (3, 3), "batch_size": 8},
        "augment": "resized_crop",
    },
    "unet": {
        **{"depth": 1, "width": 2, "size": 6, "short_side": 7, "batch_size": 8},
        "augment": "crop_flip(padding=1)",
    },
    "danet": {
        **{"shape": "cifar(depth=8, width=4)", "size": 6, "short_side": 7, "batch_size": 8},
        "augment": "crop_flip(padding=1)",
    },
    "ram": {
        **{"size": 6, "short_side": 7, "batch_size": 8, "embed_dim": 6, "hidden_dim": 5},
        **{"augment": "crop_flip(padding=1)", "patch_size": 3, "patches": 2, "glimpses": 3},
    },
    "captioner": {
        **{**RECURRENT, "shape": "cifar(depth=8, width=2)", "attention_dim": 5, "block": "eca"},
        **{"size": 6, "short_side": 7, "batch_size": 8, "augment": "crop_flip(padding=1)"},
        **{"tokens": "characters", "dropout": 0.1},
    },
    "lstm_regressor": {**RECURRENT, **CHARACTERS, "attention_dim": 5},
    "dan": {**RECURRENT, **CHARACTERS},
    "cnn": {"embed_dim": 8, "filters": 4, **CHARACTERS},
    "han": {**RECURRENT, **CHARACTERS, "attention_dim": 5},
    "abcnn": {**RECURRENT, **CHARACTERS, "longest": 24},
    "abcnn_similarity": {**RECURRENT, **CHARACTERS, "longest": 24},
    "cnn_multilabel": {"embed_dim": 8, "filters": 4, **CHARACTERS},
    "memory": {"embed_dim": 8, "hops": 2, "linear_epochs": 0},
    "transformer_lm": {**BLOCKS, "layers": 2, "block": 8, "length": 5},
    "gpt_lm": {**BLOCKS, "layers": 2, "block": 8, "length": 5},
    "xlnet": {**BLOCKS, "layers": 2, "block": 8},
    "dates": {**RECURRENT, "languages": "en", "maxout_dim": 4},
    "din": {"embed_dim": 4, "hidden_dim": 6, "second_dim": 4},
    "youtube_dnn": {"embed_dim": 4},
    "bert": {**BLOCKS, "block": 8, "tokens": "bert(size=14)"},
    "bert_classifier": {**BLOCKS, "batch_tokens": 128},
    "bert_matcher": {**BLOCKS, "longest": 24},
    "bert_tagger": {**BLOCKS, "batch_tokens": 128},
    "bert_reader": {**BLOCKS, "batch_tokens": 256},
}
"""Recipe → the settings that make it small."""

FILES = {
    "translate": "pairs.tsv",
    "text_to_text": "pairs.tsv",
    "span_corruption": "text.txt",
    "permutation_lm": "text.txt",
    "classify": "labels.csv",
    "language_model": "text.txt",
}
MATCHES = "left,right,label\n" + "".join(
    f"{one} {other},{other} {one},{'yes' if one < other else 'no'}\n"
    for one in ("ab", "Cd", "e", "bad")
    for other in ("ab", "ef", "e", "ace")
)
LETTERS = "text,labels\n" + "".join(
    f"{one} {other},{'|'.join(each for each in 'bCd' if each in one + other)}\n"
    for one in ("ab", "Cd", "e", "bad", "Ce", "dab")
    for other in ("ab", "ef", "e", "ace", "dCd")
)
ALIKE = "left,right,score\n" + "".join(
    f"{one} {other},{other} {one},{len({*one} & {*other})}.5\n"
    for one in ("ab", "Cd", "e", "bad")
    for other in ("ab", "ef", "e", "ace")
)
HOUSES = "text,price\n" + "".join(
    f"{rooms} rooms in {place},{rooms * 1.5}\n"
    for rooms in range(1, 9)
    for place in ("Rome", "Bonn", "Lund")
)
STORIES = "".join(
    f"1 {who} went to the {place}.\n2 {who} took the milk.\n3 Where is {who}?\t{place}\t1\n"
    for who in ("Mary", "John", "Daniel")
    for place in ("garden", "office", "kitchen")
)
DOCUMENTS = "text,label\n" + "".join(
    f"{one} {other}. {other} bad. {one},{'with' if 'c' in one + other else 'without'}\n"
    for one in ("ab", "Cab", "e", "bad", "dab")
    for other in ("ab", "ef", "e", "ace", "dad")
)
CHOICES = "user\titem\trating\ttimestamp\n" + "".join(
    f"u{user}\ti{(user * 3 + time * time) % 11}\t1\t{time}\n"
    for user in range(9)
    for time in range(6)
)
OWN = {  # Of a recipe or a task.
    "han": ("documents.csv", DOCUMENTS),
    "match": ("pairs.csv", MATCHES),
    "regress": ("houses.csv", HOUSES),
    "multilabel": ("letters.csv", LETTERS),
    "similarity": ("alike.csv", ALIKE),
    "answer": ("qa1_train.txt", STORIES),
    "recommend": ("choices.tsv", CHOICES),
    # Lines that differ, for `tokens.rows` to choose among.
    "masked_lm": ("text.txt", "Cab a bad dab, abc ace\nA bed, a bag, a deaf cafe\n" * 30),
}


@cache
def data_of(name: str) -> Path | None:
    """Data for a recipe; None where its task makes its own, or the recipe brings `few_rows`."""
    from regard.run.recipes import recipe

    task = recipe(name)["task"]["name"]
    if task in SHOWN:
        shown = ROWS[task].written(Path(tempfile.mkdtemp(prefix="regard-tiny-")))
        for path in shown.rglob("captions.jsonl"):  # For `lowercase` to change.
            path.write_text(path.read_text().replace(': "all blue', ': "all Blue'))
        return shown
    folder = Path(tempfile.mkdtemp(prefix="regard-tiny-"))
    if name not in OWN and task in FILES:
        path = put(folder, FILES[task])
        path.write_text(path.read_text().replace("cd", "Cd"))  # For `lowercase` to change.
        return path
    if name not in OWN and task not in OWN:
        return None
    file, text = OWN[name if name in OWN else task]
    (folder / file).write_text(text)
    return folder / file


@contextmanager
def few_rows() -> Iterator[None]:
    """Little synthetic data for the tasks that learn from that here, while it lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("names", "facts"):
            sizes = {"train": 60, "valid": 12, "test": 12}
            patch.setitem(DATA, name, replace(DATA[name], sizes=sizes))
        yield
