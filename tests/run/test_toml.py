"""Settings as TOML: what is written is what Python reads."""

import tomllib
from typing import Any

from hypothesis import given, strategies

from regard.run.toml import as_toml

TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]))
PLAIN = (
    TEXTS
    | strategies.booleans()
    | strategies.integers(-(2**63), 2**63 - 1)
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.lists(TEXTS)
)
NAMES = strategies.sampled_from(["a", "b_c", "d9"])
VALUES = strategies.recursive(
    PLAIN, lambda inner: strategies.dictionaries(NAMES, inner), max_leaves=5
)


@given(strategies.dictionaries(NAMES, VALUES))
def test_what_is_written_is_what_is_read(entries: dict[str, Any]) -> None:
    tables = {"section": entries, "other": entries}
    assert tomllib.loads(as_toml(tables)) == tables


def test_none_is_left_out() -> None:
    text = as_toml({"a": {"x": None, "y": {"z": None, "w": 1}}})
    assert tomllib.loads(text) == {"a": {"y": {"w": 1}}}


def test_text_that_is_hard_to_write_survives() -> None:
    text = "a \"b\" \\ \n\t\x7f\x00 é ☃ \U0001f600 \u2028 # [x] = '''"
    assert tomllib.loads(as_toml({"a": {"path": text}})) == {"a": {"path": text}}
