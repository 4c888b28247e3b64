"""A wrong call is answered in one sentence: what was expected, both numbers, what to do.

The shape hook would answer first, in its own words, so it is off here: users do not have it.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard.masks import Block, Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import Entmax, LearnedEntmax, LocalGaussian, Softmax, TopK, softmax
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from regard.scores import (
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatReLU,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.one_by_one import all_in_one

pytestmark = pytest.mark.usefixtures("as_users_have_it")


def tensor(*shape: int, **options: Any) -> Tensor:
    return torch.zeros(shape, **options)


def attend(
    query: Any = None, key: Any = None, value: Any = None, **given: Any
) -> Callable[[], Tensor]:
    """A call that is right except for what is given: 2 sequences, 4 heads, 5 queries, 7 keys."""
    query = tensor(2, 4, 5, 8) if query is None else query
    key = tensor(2, 4, 7, 8) if key is None else key
    value = tensor(2, 4, 7, 6) if value is None else value
    return lambda: regard.attention(query, key, value, **given)


def weigh(**given: Any) -> Callable[[], Tensor]:
    return lambda: regard.attention_weights(tensor(2, 4, 5, 8), tensor(2, 4, 7, 8), **given)


def nested() -> Tensor:
    """Two sequences of 3 and 5 positions in one jagged tensor."""
    rows = [torch.randn(length, 4, 8) for length in (3, 5)]
    return torch.nested.nested_tensor(rows, layout=torch.jagged)


# A sentence with a fix holds one of these.
SUGGESTS = (
    r"\b(use|give|pass|add|build|project|make|move|choose|count|say|leave|wrap|compare|with|"
    r"needs|must|each|every|join|knows)\b"
)

# What is wrong, the call, the type of the error, and the pieces its sentence must hold.
WRONG: dict[str, tuple[Callable[[], Any], type[Exception], tuple[str, ...]]] = {
    # tensors
    "query is no tensor": (
        attend(query=[[1.0]]), TypeError, ("query", "torch.Tensor", "list", "as_tensor")),
    "value is an array": (
        attend(value=np.zeros((2, 4, 7, 6))), TypeError, ("value", "torch.Tensor", "ndarray")),
    "three dimensions": (
        attend(query=tensor(2, 5, 8)), ValueError, ("query", "4 dimensions", "3", "[2, 5, 8]")),
    "five dimensions": (
        attend(key=tensor(1, 2, 4, 7, 8)), ValueError, ("key", "4 dimensions", "5")),
    "integers": (
        attend(query=tensor(2, 4, 5, 8, dtype=torch.int64)), TypeError,
        ("query", "int64", "query.float()")),
    "booleans": (
        attend(value=tensor(2, 4, 7, 6, dtype=torch.bool)), TypeError, ("value", "bool")),
    "complex numbers": (
        attend(query=tensor(2, 4, 5, 8, dtype=torch.complex64)), TypeError,
        ("query", "complex64")),
    "eight bits": (
        attend(key=tensor(2, 4, 7, 8).to(torch.float8_e4m3fn)), TypeError, ("key", "float8")),
    "nested": (attend(query=nested(), key=nested(), value=nested()), TypeError,
        ("query", "nested", "mask=Document(ids)", "mask=Padding(lengths)")),
    # together
    "dtypes differ": (
        attend(key=tensor(2, 4, 7, 8, dtype=torch.float64)), TypeError,
        ("float32", "key", "float64", "key.to(query.dtype)")),
    "dtypes of values differ": (
        attend(value=tensor(2, 4, 7, 6, dtype=torch.float16)), TypeError, ("value", "float16")),
    "devices differ": (
        attend(key=tensor(2, 4, 7, 8, device="meta")), ValueError,
        ("cpu", "key", "meta", "key.to(query.device)")),
    "batches differ": (
        attend(key=tensor(3, 4, 7, 8)), ValueError, ("batch 2", "key", "batch 3", "expand")),
    "batch of values differs": (
        attend(value=tensor(1, 4, 7, 6)), ValueError, ("batch 2", "value", "batch 1")),
    "lengths of key and value differ": (
        attend(value=tensor(2, 4, 6, 6)), ValueError, ("k_len 7", "k_len 6", "value")),
    "heads of key and value differ": (
        attend(value=tensor(2, 2, 7, 6)), ValueError, ("4 heads", "2", "value")),
    "heads do not divide": (
        attend(key=tensor(2, 3, 7, 8), value=tensor(2, 3, 7, 6)), ValueError,
        ("4 heads", "3 heads")),
    "more key heads than query heads": (
        attend(key=tensor(2, 8, 7, 8), value=tensor(2, 8, 7, 6)), ValueError,
        ("4 heads", "8 heads")),
    "no key head": (
        attend(key=tensor(2, 0, 7, 8), value=tensor(2, 0, 7, 6)), ValueError,
        ("4 heads", "0 heads")),
    # widths
    **{
        f"widths differ for {type(score).__name__}": (
            attend(key=tensor(2, 4, 7, 9), score=score), ValueError,
            (type(score).__name__, "head_dim 8", "9"))
        for score in (
            ScaledDot(), Dot(), Cosine(), NegativeSquaredDistance(), InverseDistance(),
            FeatureMapDot(), Additive(), GATv2(),
        )
    },
    **{
        f"width of the query for {type(score).__name__}": (
            attend(score=score), ValueError, (type(score).__name__, "query", "9", "8"))
        for score in (
            Bilinear(9, 8), Additive(9, 8, 4), Location(9, 10), LuongConcat(9, 8, 4),
            ConcatLinear(9, 8, 10), ConcatTanhSum(9, 8, 4), ConcatReLU(9, 8), GATv2(9, 8, 4),
        )
    },
    **{
        f"width of the key for {type(score).__name__}": (
            attend(score=score), ValueError, (type(score).__name__, "key", "9", "8"))
        for score in (
            Bilinear(8, 9), Additive(8, 9, 4), LuongConcat(8, 9, 4), ConcatLinear(8, 9, 10),
            ConcatTanhSum(8, 9, 4), ConcatReLU(8, 9), GATv2(8, 9, 4),
        )
    },
    "more keys than rows": (
        attend(score=Location(8, num_keys=6)), ValueError, ("Location", "6", "7", "num_keys=7")),
    "more keys than outputs": (
        attend(score=ConcatLinear(8, 8, 6)), ValueError, ("ConcatLinear", "6", "7")),
    # parts in the wrong form
    "score by name": (attend(score="dot"), TypeError, ("score", "str", "'dot'", "object")),
    "normalizer by name": (attend(normalizer="softmax"), TypeError, ("normalizer", "'softmax'")),
    "mask by name": (attend(mask="causal"), TypeError, ("mask", "'causal'")),
    "score_mod by name": (attend(score_mod="alibi"), TypeError, ("score_mod", "'alibi'")),
    "class instead of instance": (
        attend(score=ScaledDot), TypeError, ("score", "ScaledDot", "instance", "ScaledDot(...)")),
    "class of a mask": (attend(mask=Causal), TypeError, ("mask", "class Causal", "instance")),
    "class of a normalizer": (
        attend(normalizer=Softmax), TypeError, ("normalizer", "class Softmax")),
    "class of a score_mod": (attend(score_mod=ALiBi), TypeError, ("score_mod", "class ALiBi")),
    "no score": (attend(score=None), TypeError, ("score", "NoneType")),
    "no normalizer": (attend(normalizer=None), TypeError, ("normalizer", "NoneType")),
    "a bare bias": (
        attend(score_mod=tensor(5, 7)), TypeError, ("score_mod", "Tensor", "Bias(tensor)")),
    "a mask as score_mod": (
        attend(score_mod=Causal()), TypeError, ("score_mod", "Causal()", "mask=")),
    "a score_mod as mask": (
        attend(mask=ALiBi(4)), TypeError, ("mask", "ALiBi", "score_mod=")),
    "a truth value as mask": (attend(mask=True), TypeError, ("mask", "bool", "Causal()")),
    "a list as mask": (attend(mask=[[True]]), TypeError, ("mask", "list", "torch.as_tensor")),
    "an array as mask": (
        attend(mask=np.ones((5, 7), bool)), TypeError, ("mask", "ndarray", "torch.as_tensor")),
    # masks
    "an additive mask": (
        attend(mask=tensor(5, 7)), TypeError, ("boolean", "float32[5, 7]", "Bias(mask)")),
    "a 0/1 mask": (
        attend(mask=tensor(5, 7, dtype=torch.uint8)), TypeError, ("uint8", "mask.bool()")),
    "a mask of another q_len": (
        attend(mask=tensor(6, 7, dtype=torch.bool)), ValueError, ("q_len 6", "q_len 5")),
    "a mask of another k_len": (
        attend(mask=tensor(5, 8, dtype=torch.bool)), ValueError, ("k_len 8", "k_len 7")),
    "a mask of another batch": (
        attend(mask=tensor(3, 1, 5, 7, dtype=torch.bool)), ValueError, ("batch 3", "batch 2")),
    "a mask of other heads": (
        attend(mask=tensor(2, 5, 7, dtype=torch.bool)), ValueError, ("heads 2", "heads 4")),
    "a mask of one dimension": (
        attend(mask=tensor(7, dtype=torch.bool)), ValueError, ("2 to 4 dimensions", "1")),
    "a mask of five dimensions": (
        attend(mask=tensor(1, 1, 1, 5, 7, dtype=torch.bool)), ValueError, ("dimensions", "5")),
    "a mask on another device": (
        attend(mask=tensor(5, 7, dtype=torch.bool, device="meta")), ValueError, ("meta", "cpu")),
    "a joined mask of another k_len": (
        attend(mask=Causal() & Dense(tensor(5, 8, dtype=torch.bool))), ValueError,
        ("k_len 8", "k_len 7")),
    "lengths of another batch": (
        attend(mask=Padding(torch.tensor([1, 2, 3]))), ValueError, ("batch 3", "batch 2")),
    "a padding mask of another k_len": (
        attend(mask=Padding(keep=tensor(2, 5, dtype=torch.bool))), ValueError,
        ("k_len 5", "k_len 7")),
    "prefixes of another batch": (
        attend(mask=Prefix(torch.tensor([1]))), ValueError, ("batch 1", "batch 2")),
    "documents that end early": (
        attend(mask=Document(tensor(6, dtype=torch.int64))), ValueError, ("6", "k_len 7")),
    "documents before their first id": (
        attend(mask=Document(tensor(9, dtype=torch.int64)), q_offset=-2), ValueError,
        ("Document", "-2")),
    "queries beyond the documents": (
        attend(mask=Document(tensor(7, dtype=torch.int64)), q_offset=3), ValueError,
        ("Document(ids)", "length 4", "q_len 5")),
    "rows that end early": (
        attend(mask=Dense(tensor(6, 7, dtype=torch.bool), first_query=0)), ValueError,
        ("Dense", "q_len 4", "q_len 5")),
    "rows of a bias that end early": (
        attend(score_mod=Bias(tensor(6, 7), first_query=0), q_offset=4), ValueError,
        ("Bias", "q_len 2", "q_len 5")),
    "rows that start late": (
        attend(mask=Dense(tensor(9, 7, dtype=torch.bool), first_query=4)), ValueError,
        ("Dense", "4", "2")),
    "a mask that answers with numbers": (
        attend(mask=lambda b, h, q, k: (q - k).clamp(0, 1)), TypeError, ("boolean", "int64")),
    "a mask that answers with a truth value": (
        attend(mask=lambda b, h, q, k: True), TypeError, ("boolean", "bool")),
    "masks joined by and": (lambda: Causal() and Block(2), TypeError, ("&", "and")),
    "a mask and a tensor": (
        lambda: Causal() & tensor(5, 7, dtype=torch.bool), TypeError, ("[5, 7]", "Dense(tensor)")),
    # score modifications and normalizers
    "a bias of another k_len": (
        attend(score_mod=Bias(tensor(5, 8))), ValueError, ("Bias", "k_len 8", "k_len 7")),
    "slopes of other heads": (attend(score_mod=ALiBi(8)), ValueError, ("ALiBi", "8", "4")),
    "buckets of other heads": (
        attend(score_mod=RelativeBias(8)), ValueError, ("RelativeBias", "8", "4")),
    "alphas of other heads": (
        attend(normalizer=LearnedEntmax(num_heads=8)), ValueError, ("LearnedEntmax", "8", "4")),
    "centers of other queries": (
        attend(normalizer=LocalGaussian(tensor(2, 4, 6), 1.0)), ValueError,
        ("LocalGaussian", "6", "5")),
    "weights on another device": (
        attend(score=Bilinear(8, 8).to("meta")), ValueError, ("Bilinear", "meta", "cpu")),
    # numbers
    "dropout above one": (attend(dropout=1.5), ValueError, ("dropout", "1.5", "0 and 1")),
    "dropout below zero": (attend(dropout=-0.1), ValueError, ("dropout", "-0.1")),
    "dropout that is no number": (attend(dropout=float("nan")), ValueError, ("dropout", "nan")),
    "dropout in words": (attend(dropout="0.1"), TypeError, ("dropout", "str")),
    "dropout as a module": (
        attend(dropout=nn.Dropout(0.1)), TypeError, ("dropout", "Dropout")),
    "dropout as a tensor": (
        attend(dropout=torch.tensor([0.1, 0.2])), TypeError, ("dropout", "Tensor")),
    "half an offset": (attend(q_offset=1.5), TypeError, ("q_offset", "int", "float")),
    "an offset that is true": (attend(q_offset=True), TypeError, ("q_offset", "bool")),
    "an offset in a tensor": (
        attend(q_offset=torch.tensor(2)), TypeError, ("q_offset", "[batch]")),
    # backends
    "an unknown backend": (
        attend(backend="cuda"), ValueError, ("'cuda'", "unknown", "chunked", "sdpa", "None")),
    "a backend that is no name": (attend(backend=3), ValueError, ("3", "unknown", "chunked")),
    "a backend that cannot": (
        attend(backend="sdpa", normalizer=Entmax()), regard.UnsupportedByBackend,
        ("'sdpa'", "softmax only", "Entmax", "backend=None")),
    # some of the weights
    "a row that is not there": (weigh(rows=5), IndexError, ("rows", "5", "0 to 4")),
    "a row before the first": (weigh(rows=-6), IndexError, ("rows", "-6", "5")),
    "a head that is not there": (weigh(heads=[0, 4]), IndexError, ("heads", "4", "0 to 3")),
    "half a row": (weigh(rows=1.5), TypeError, ("rows", "float")),
    "half rows": (weigh(rows=[0.5]), TypeError, ("rows", "float")),
    "rows by name": (weigh(rows="first"), TypeError, ("rows", "str")),
    "rows as booleans": (weigh(rows=[True, False, True, True, False]), TypeError, ("rows", "bool")),
    "weights of other widths": (
        lambda: regard.attention_weights(tensor(2, 4, 5, 8), tensor(2, 4, 7, 9)), ValueError,
        ("head_dim 8", "9")),
    # parts that cannot be
    "no temperature": (lambda: Cosine(0.0), ValueError, ("Cosine", "0")),
    "a negative temperature": (lambda: Softmax(-1.0), ValueError, ("temperature", "-1")),
    "an alpha below one": (lambda: Entmax(0.5), ValueError, ("alpha", "0.5")),
    "no best keys": (lambda: TopK(0), ValueError, ("k", "0", "1")),
    "a cap of nothing": (lambda: SoftCap(0.0), ValueError, ("cap", "0")),
    "a negative window": (lambda: SlidingWindow(-1), ValueError, ("left", "-1")),
    "half a window": (lambda: SlidingWindow(1.5), TypeError, ("left", "float")),
    "lengths and a mask": (
        lambda: Padding(torch.tensor([1]), keep=tensor(1, 2, dtype=torch.bool)), ValueError,
        ("exactly one", "2")),
    "a projection to nowhere": (
        lambda: Additive(query_dim=4), ValueError, ("query_dim=4", "hidden_dim")),
    "an unknown variant": (
        lambda: LuongConcat(4, 4, 4, variant="code"), ValueError, ("'code'", "official", "paper")),
    "official with another width": (
        lambda: LuongConcat(4, 6, 5, variant="official"), ValueError, ("6", "5", "equal")),
}  # fmt: skip


@all_in_one(("call", "kind", "pieces"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_answered_in_one_sentence(
    call: Callable[[], Any], kind: type[Exception], pieces: tuple[str, ...]
) -> None:
    with pytest.raises(Exception) as caught:
        call()
    message = str(caught.value)
    assert caught.type is kind, f"{caught.type.__name__}: {message}"
    assert caught.traceback[-1].path.is_relative_to(
        __import__("pathlib").Path(regard.__file__).parent
    ), f"raised outside of regard: {message}"
    for piece in pieces:
        assert piece in message, f"{piece!r} is missing: {message}"
    assert "\n" not in message
    assert re.search(SUGGESTS, message, re.IGNORECASE), f"no fix: {message}"


@all_in_one("name", [name for name in WRONG if name not in ("a backend that cannot",)])
def test_a_wrong_call_fails_the_same_way_in_the_plan(name: str) -> None:
    """What `attention` refuses, `plan` refuses: with the same words, for it checks in one place."""
    call, kind, _ = WRONG[name]
    if call.__qualname__.startswith("attend"):
        given = dict(zip(call.__code__.co_freevars, call.__closure__, strict=True))
        query, key, value, options = (
            given[x].cell_contents for x in ("query", "key", "value", "given")
        )
        if callable(options.get("mask")) and "lambda" in str(options["mask"]):
            return  # a plan asks no mask for its answer
        with pytest.raises(kind):
            regard.plan(query, key, value, **options)


def test_what_is_unusual_but_right_is_served() -> None:
    for call in (
        attend(mask=None), attend(dropout=0), attend(dropout=1), attend(q_offset=-3),
        attend(mask=tensor(5, 7, dtype=torch.bool)), attend(mask=tensor(1, 1, dtype=torch.bool)),
        attend(mask=lambda b, h, q, k: q >= k), attend(score=lambda q, k: q @ k.mT),
        attend(normalizer=lambda scores, where=None: softmax(scores, where)),
        attend(score_mod=lambda score, b, h, q, k: score + 1), attend(value=tensor(2, 4, 7, 0)),
        attend(query=tensor(2, 4, 5, 0), key=tensor(2, 4, 7, 0)),
        attend(key=tensor(2, 1, 7, 8), value=tensor(2, 1, 7, 6)),
    ):  # fmt: skip
        assert call().shape[:3] == (2, 4, 5)


def test_width_zero_means_equal_scores() -> None:
    value = torch.randn(2, 4, 7, 6)
    found = attend(query=tensor(2, 4, 5, 0), key=tensor(2, 4, 7, 0), value=value, score=Dot())()
    torch.testing.assert_close(found, value.mean(2, keepdim=True).expand(2, 4, 5, 6))


@pytest.mark.parametrize("mask", [None, Causal(), SlidingWindow(2)], ids=str)
def test_shapes_are_planned_without_numbers(mask: Any) -> None:
    """On the meta device there are none: plans, outputs and weights still have a shape."""
    query, key, value = (tensor(2, 4, 300, 8, device="meta") for _ in range(3))
    assert regard.plan(query, key, value, mask=mask).flops > 0
    assert regard.attention(query, key, value, mask=mask).shape == (2, 4, 300, 8)
    assert regard.attention_weights(query, key, mask=mask).shape == (2, 4, 300, 300)
