"""What was bought together: a basket of items on each line, in any form that people keep."""

import json
import random
from pathlib import Path

import pytest

from tests.data.any_task import read

ITEMS = "bread milk tea eggs rice beans salt oil soap jam".split()
DRAWN = random.Random(0)
BASKETS = [DRAWN.sample(ITEMS, 1 + n % 6) for n in range(60)]
NUMBERS = [[str(ITEMS.index(item)) for item in basket] for basket in BASKETS]


def padded(basket: list[str]) -> list[str]:
    return [*basket, *[""] * (6 - len(basket))]


FORMS = {
    "commas.csv": "".join(",".join(b) + "\n" for b in BASKETS),
    "commas.txt": "".join(", ".join(b) + "\n" for b in BASKETS),
    "quoted.csv": "".join(",".join(f'"{item}"' for item in b) + "\n" for b in BASKETS),
    "tabs.tsv": "".join("\t".join(b) + "\n" for b in BASKETS),
    "semicolons.csv": "".join(";".join(b) + "\n" for b in BASKETS),
    "named.csv": ",".join(f"Item {n + 1}" for n in range(6))
    + "\n"
    + "".join(",".join(padded(b)) + "\n" for b in BASKETS),
    "counted.csv": "Item(s),"
    + ",".join(f"Item {n + 1}" for n in range(6))
    + "\n"
    + "".join(f"{len(b)},{','.join(padded(b))}\n" for b in BASKETS),
    "numbered.csv": "".join(f"{n}, {', '.join(b)}\n" for n, b in enumerate(BASKETS, 1)),
    "users.csv": "".join(f"u{n},{','.join(b)}\n" for n, b in enumerate(BASKETS)),
    "arrays.json": json.dumps(BASKETS),
    "arrays.jsonl": "".join(json.dumps(b) + "\n" for b in BASKETS),
    "objects.jsonl": "".join(json.dumps({"items": b}) + "\n" for b in BASKETS),
    "column.csv": "items\n" + "".join(f'"{",".join(b)}"\n' for b in BASKETS),
    "tid.csv": "tid,items\n" + "".join(f'{n},"{",".join(b)}"\n' for n, b in enumerate(BASKETS)),
}


def baskets(path: Path, task: str | None = None) -> list[list[str]]:
    """The items of each user, in order."""
    corpus = read(str(path), task)
    assert corpus.task == "recommend" and {*corpus.splits} == {"train"}
    found: dict[str, list[str]] = {}
    for row in corpus.splits["train"]:
        found.setdefault(row["user"], []).append(row["item"])
    return list(found.values())


@pytest.mark.parametrize("name", FORMS)
def test_each_line_is_a_basket(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FORMS[name])
    assert baskets(tmp_path / name) == BASKETS


def test_numbers_between_spaces_are_items_and_words_are_where_the_task_says_so(
    tmp_path: Path,
) -> None:
    retail, words = tmp_path / "retail.dat", tmp_path / "words.txt"
    retail.write_text("".join(" ".join(b) + " \n" for b in NUMBERS))
    words.write_text("".join(" ".join(b) + "\n" for b in BASKETS))
    assert baskets(retail) == NUMBERS
    assert baskets(words, "recommend") == BASKETS
    assert read(str(words)).task == "language_model"


def test_orders_are_users_where_there_are_no_others(tmp_path: Path) -> None:
    rows = [f"{n},{item},{place}" for n, b in enumerate(BASKETS) for place, item in enumerate(b)]
    (tmp_path / "a.csv").write_text("order_id,product_id,reordered\n" + "\n".join(rows) + "\n")
    assert baskets(tmp_path / "a.csv") == BASKETS


@pytest.mark.parametrize(
    "lines",
    [
        [f"It rained on day {n}, and then it did not, at last" for n in range(40)],
        [f"the day {n} was long,{'good,so' if n % 2 else 'bad'}" for n in range(40)],
        ["yes,no,yes", "no,no", "yes,no,no,yes"] * 12,
        ["1,0,1", "0,1", "1,1,1"] * 12,
        [
            f"film{'abcdefghij'[n % 10]}{'klm'[n // 10]},{','.join(b)}"
            for n, b in enumerate(BASKETS[:30])
        ],
        [
            "id,genre1,genre2,genre3",
            *(f"{n},{','.join(padded(b)[:3])}" for n, b in enumerate(BASKETS[:40])),
        ],
    ],
)
def test_other_lines_with_commas_are_no_baskets(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    try:
        assert read(str(tmp_path / "a.txt")).task != "recommend"
    except ValueError as error:
        assert "basket" not in str(error)
