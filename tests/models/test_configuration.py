"""A configuration holds what its annotations say, in whatever way it came about."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest

from regard.models.configuration import Configuration


@dataclass(frozen=True, kw_only=True)
class Example(Configuration):
    # Defined here, where no hook checks annotations, as in a program that nobody tests.
    model_type: ClassVar[str] = "example"
    limits: ClassVar[dict[str, int]] = {"vocab": 100}

    vocab: int = 7
    width: int | None = None
    dropout: float = 0.1
    norm: Literal["post", "pre"] = "post"


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"vocab": 0}, ValueError, "vocab must be between 1 and 100, got 0"),
        ({"vocab": 101}, ValueError, "vocab must be between 1 and 100, got 101"),
        ({"width": 65_537}, ValueError, "width must be between 1 and 65536, got 65537"),
        ({"vocab": None}, TypeError, "vocab must be an integer, got None"),
        ({"vocab": True}, TypeError, "vocab must be an integer, got True"),
        ({"width": 4.0}, TypeError, "width must be an integer, got 4.0"),
        ({"dropout": 1}, TypeError, "dropout must be a number such as 0.1, got 1"),
        ({"dropout": "0.1"}, TypeError, "dropout must be a number such as 0.1, got '0.1'"),
        ({"dropout": 1.0}, ValueError, "dropout must be at least 0 and less than 1, got 1.0"),
        ({"norm": "middle"}, ValueError, "norm must be one of 'post', 'pre', got 'middle'"),
        ({"norm": ["post"]}, ValueError, "norm must be one of 'post', 'pre', got"),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_named(
    changes: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        Example(**changes)
    with pytest.raises(error, match=why):
        Example.from_json(json.dumps(json.loads(Example().to_json()) | changes))


def test_what_is_written_is_read() -> None:
    for example in (Example(), Example(vocab=9, width=3, dropout=0.0, norm="pre")):
        assert Example.from_json(example.to_json()) == example


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", 'not the configuration of a "example" model'),
        ('{"model_type": "other"}', 'not the configuration of a "example" model'),
        ('{"model_type": "example", "vocab": 7, "x": 1}', "lacks .*norm.* unknown keys ..x"),
    ],
)
def test_what_is_no_such_configuration_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Example.from_json(text)
