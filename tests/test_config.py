"""A Config holds what its fields say, however it was written, and nothing else."""

import json
import math
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard._nearest import nearest
from regard._spelling import LONGEST, Spelled, parse
from regard.config import (
    Config,
    Count,
    Natural,
    NonNegative,
    Positive,
    Share,
    checked,
    fields_of,
    from_json,
    to_json,
    walk,
)
from regard.normalizers import Entmax
from regard.parts import NormalizerName


@dataclass(frozen=True, kw_only=True)
class Mean(Config):
    """An alternative without options."""


@dataclass(frozen=True, kw_only=True)
class Window(Config):
    """An alternative with options."""

    width: Count = 3
    normalizer: NormalizerName = "softmax"


@dataclass(frozen=True, kw_only=True)
class Everywhere(Config):
    """An alternative that is called by a word of Python's."""

    tag = "global"

    inner: Mean | Window = Mean()


@dataclass(frozen=True, kw_only=True)
class Everything(Config):
    """One field of every kind."""

    tag = "everything"
    from_data: ClassVar[tuple[str, ...]] = ("vocab",)

    vocab: Count
    offset: Natural = 0
    dropout: Share = 0.1
    scale: Positive = 1.0
    cost: NonNegative = 0.0
    bias: bool = True
    word: Literal["post", "pre"] = "post"
    text: str = "a text"
    sizes: tuple[Count, ...] = (2, 3)
    names: tuple[str, ...] = ()
    longest: Count | None = None
    part: NormalizerName | None = None
    window: Window = Window()
    pooling: Mean | Window | Everywhere = Mean()
    maybe: Mean | Window | None = None


PLAIN = Everything(vocab=9)
FULL = Everything(
    vocab=65_536,
    offset=3,
    dropout=0.0,
    scale=1e-9,
    cost=2.5,
    bias=False,
    word="pre",
    text='"quoted", (a=1)',
    sizes=(1,),
    names=("en", "zh-Hant"),
    longest=7,
    part="entmax(1.3)",
    window=Window(width=5),
    pooling=Everywhere(inner=Window(width=2, normalizer="top_k(4)")),
    maybe=Window(),
)


@pytest.mark.parametrize("config", [PLAIN, FULL])
def test_what_was_written_as_entries_json_or_text_is_read_again(config: Everything) -> None:
    assert Everything.from_entries(config.to_entries()) == config
    assert Everything.from_entries(json.loads(json.dumps(config.to_entries()))) == config
    assert from_json(to_json(config), Everything) == config
    assert checked("it", config.spelled(), Everything) == config


def test_text_leaves_out_what_is_as_usual() -> None:
    assert PLAIN.spelled() == "everything(vocab=9)"
    assert Everywhere(inner=Window()).spelled() == "global(inner=window)"
    assert Window(width=5, normalizer="entmax(1.3)").spelled() == (
        "window(width=5, normalizer=entmax(1.3))"
    )


def test_an_alternative_is_itself_its_text_or_its_entries() -> None:
    wanted = Everywhere(inner=Window(width=2))
    entries = {"kind": "global", "inner": {"kind": "window", "width": 2}}
    for way in (wanted, "global(inner=window(width=2))", "global(window(2))", entries):
        assert checked("pooling", way, Everywhere | Mean) == wanted
    assert wanted.to_entries() == {"inner": entries["inner"] | {"normalizer": "softmax"}}
    assert Everything.from_entries({"vocab": 1, "pooling": "global"}).pooling == Everywhere()
    for nothing in (None, "none"):
        assert Everything.from_entries({"vocab": 1, "maybe": nothing}).maybe is None


def test_numbers_become_those_of_the_field() -> None:
    config = Everything(vocab=np.int64(7), dropout=0, scale=3, sizes=[1.0, 2])
    assert (config.vocab, config.dropout, config.scale, config.sizes) == (7, 0.0, 3.0, (1, 2))
    assert type(config.vocab) is int and type(config.scale) is float
    assert all(type(size) is int for size in config.sizes)


def test_a_part_is_a_name_and_an_object_becomes_one() -> None:
    assert Window(normalizer="entmax( 1.3 )") == Window(normalizer=Entmax(1.3))
    assert Window(normalizer=Entmax(1.3)).normalizer == "entmax(1.3)"


def test_a_config_does_not_change_and_compares_by_value() -> None:
    with pytest.raises(FrozenInstanceError):
        PLAIN.vocab = 3  # type: ignore[misc]
    assert hash(FULL) == hash(Everything.from_entries(FULL.to_entries()))
    assert PLAIN != FULL and Mean() != Window()


def test_walking_finds_every_field_of_every_alternative() -> None:
    found = {".".join(path) for path, _ in walk(Everything)}
    assert set(fields_of(Everything)) <= found
    assert {"pooling.width", "pooling.inner.width", "window.normalizer", "maybe.width"} <= found


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"vocab": 0}, ValueError, "vocab must be at least 1 and at most 65536, got 0"),
    ({"vocab": 65_537}, ValueError, "at most 65536, got 65537"),
    ({"vocab": 1.5}, TypeError, "vocab must be a whole number, got 1.5"),
    ({"vocab": True}, TypeError, "vocab must be a whole number, got True"),
    ({"vocab": "7"}, TypeError, "vocab must be a whole number, got '7'"),
    ({"vocab": None}, TypeError, "vocab must be a whole number, got None"),
    ({"vocab": 10**400}, ValueError, "at most 65536"),
    ({"offset": -1}, ValueError, "offset must be at least 0.*got -1"),
    ({"dropout": 1.0}, ValueError, "dropout must be at least 0 and below 1, got 1.0"),
    ({"dropout": math.nan}, ValueError, "dropout must be .*got nan"),
    ({"dropout": "much"}, TypeError, "dropout must be a number, got 'much'"),
    ({"scale": 0.0}, ValueError, "scale must be above 0, got 0.0"),
    ({"scale": math.inf}, ValueError, "scale must be above 0 and finite, got inf"),
    ({"cost": -0.5}, ValueError, "cost must be at least 0, got -0.5"),
    ({"bias": 1}, TypeError, "bias must be true or false, got 1"),
    ({"word": "prae"}, ValueError, "there is no word 'prae': did you mean pre"),
    ({"word": ["pre"]}, ValueError, "there is no word"),
    ({"text": 3}, TypeError, "text must be a text, got 3"),
    ({"sizes": (2, 0)}, ValueError, r"sizes\[1\] must be at least 1.*got 0"),
    ({"sizes": 3}, TypeError, "sizes must be several values with commas between, got 3"),
    ({"longest": 0}, ValueError, "longest must be at least 1"),
    ({"part": "entmaks(1.3)"}, ValueError, "there is no normalizer 'entmaks': did you mean entmax"),
    ({"part": "entmax(beta=2)"}, ValueError, "it takes alpha"),
    ({"window": {"width": 0}}, ValueError, "window: width must be at least 1"),
    ({"window": {"witdh": 3}}, ValueError, "there is no witdh in window; did you mean width"),
    ({"pooling": "widow"}, ValueError, "there is no pooling 'widow': did you mean window"),
    ({"pooling": {"width": 3}}, ValueError, "there is no pooling 'None'"),
    ({"pooling": 3}, TypeError, "pooling must be one of mean, window, global, got 3"),
    ({"pooling": "window(1, softmax, 3)"}, ValueError, "takes 2 values at most, got 3"),
    ({"pooling": "window(5, width=3)"}, ValueError, "window has width twice, 5 and 3"),
    ({"pooling": "mean(width=3)"}, ValueError, "there is no width in mean"),
    ({"pooling": "global(inner=global)"}, ValueError, "pooling: there is no inner 'global'"),
]


@pytest.mark.parametrize(("change", "kind", "why"), WRONG, ids=str)
def test_what_does_not_fit_is_named_with_the_value(
    change: dict[str, Any], kind: type[Exception], why: str
) -> None:
    for make in (lambda e: Everything(**e), Everything.from_entries):
        with pytest.raises(kind, match=why):
            make({"vocab": 9} | change)


def test_keys_that_are_not_there_or_missing_are_named() -> None:
    with pytest.raises(ValueError, match="there is no dropot in everything; did you mean dropout"):
        Everything.from_entries({"vocab": 3, "dropot": 0.5})
    with pytest.raises(ValueError, match="everything needs vocab"):
        Everything.from_entries({"dropout": 0.5})


def test_a_file_of_another_type_is_refused() -> None:
    for text in ("[]", '{"model_type": "everythin", "vocab": 3}', '{"vocab": 3}', "3"):
        with pytest.raises(ValueError, match='not the configuration of a "everything" model'):
            from_json(text, Everything)
    for text in ("{", "", "[" * 100_000, '{"vocab": NaN}', '{"vocab": 1, "vocab": 2}'):
        with pytest.raises(ValueError):
            from_json(text, Everything)


HOSTILE = [
    "__import__('os').system('true')",
    "open('/etc/passwd')[0]",
    "window(lambda: 3)",
    "window(width=[x for x in ()])",
    "window(*mean)",
    "window(**{})",
    "window(width=1 if 1 else 2)",
    "window(f'{width}')",
    "window(1 + 1)",
    "window(10 ** 10 ** 10)",
    "window.mean",
    "mean; window",
    "window(width := 3)",
    "await window",
    "",
    "   ",
    "3",
    "'window'",
    "(window, mean)",
    "window(" * 300 + ")" * 300,
    "(" * 900 + ")" * 900,
    "a" * (LONGEST + 1),
    "window(\x00)",
    "win\ndow",
    "&".join(["mean"] * 400),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_that_is_no_call_is_refused_and_nothing_is_run(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Everything.from_entries({"vocab": 9, "pooling": text})
    assert len(str(caught.value)) < 600


words = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda word: "__" not in word)
values = st.recursive(
    st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | words
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.builds(Spelled, words, st.lists(inner, max_size=2).map(tuple))
        | st.builds(Spelled, words, st.just(()), st.dictionaries(words, inner, max_size=2))
    ),
    max_leaves=6,
)


@given(words, st.lists(values, max_size=3), st.dictionaries(words, values, max_size=3))
def test_what_is_spelled_is_parsed_again(name: str, args: list[Any], kwargs: Any) -> None:
    def bare(value: Any) -> Any:
        """A call without arguments is a word where a value stands."""
        if isinstance(value, Spelled):
            if not value.args and not value.kwargs:
                return value.name
            return Spelled(
                value.name,
                tuple(map(bare, value.args)),
                {key: bare(each) for key, each in value.kwargs.items()},
            )
        return tuple(map(bare, value)) if isinstance(value, tuple) else value

    call = Spelled(name, tuple(args), kwargs)
    if len(str(call)) > LONGEST:
        return
    wanted = Spelled(name, tuple(map(bare, args)), {k: bare(each) for k, each in kwargs.items()})
    assert parse(str(call)) == wanted


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_with_a_sentence(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        assert "is not a name with arguments" in str(error)


def test_words_of_python_are_words_here() -> None:
    for word in ("global", "lambda", "class", "is", "none", "True_"):
        assert parse(word) == Spelled(word)
        call = Spelled("a", (word,), {word: 3})
        assert parse(str(call)) == call


def test_near_names_are_offered_and_all_where_none_is_near() -> None:
    assert nearest("prenorm", ["post", "pre"]) == "did you mean pre?"
    assert nearest("dim", ["time", "item", "ff_dim", "embed_dim"]).startswith(
        "did you mean ff_dim or embed_dim"
    )
    assert nearest("xyz", ["post", "pre"]) == "post, pre"
    assert nearest("bahdanau", ["additive", "dot"], {"bahdanau": "additive"}) == (
        "did you mean additive?"
    )
