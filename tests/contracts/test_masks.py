"""What every mask owes. One table of all members; a new mask adds one row.

A row makes a mask for a call of given sizes, and the same rule written as plain Python.
"""

import copy
import dataclasses
import itertools
import re
from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.nn.attention.flex_attention import create_mask

import regard.masks
from regard.masks import (
    Block,
    Causal,
    Dense,
    Document,
    KeyCounts,
    Mask,
    Padding,
    Prefix,
    SlidingWindow,
)
from tests.one_by_one import all_in_one

Rule = Callable[[int, int, int, int], bool]
Make = Callable[[int, int, int, int], tuple[Mask, Rule]]


def _lengths(batch: int, k_len: int) -> Tensor:
    return torch.randint(0, k_len + 1, (batch,))


def _padding(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    lengths = _lengths(batch, k_len)
    return Padding(lengths), lambda b, h, q, k: k < lengths[b].item()


def _keep(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    keep = torch.rand(batch, k_len) < 0.5
    return Padding(keep=keep), lambda b, h, q, k: keep[b, k].item()


def _ignore(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    ignore = torch.rand(batch, k_len) < 0.5
    return Padding(ignore=ignore), lambda b, h, q, k: not ignore[b, k].item()


def _prefixes(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    lengths = _lengths(batch, k_len)
    return Prefix(lengths), lambda b, h, q, k: k < lengths[b].item()


def _documents(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    ids = torch.randint(0, 2, (batch, max(q_len, k_len)))
    return Document(ids), lambda b, h, q, k: ids[b, q].item() == ids[b, k].item()


def _shared_documents(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    ids = torch.randint(0, 2, (max(q_len, k_len),))
    return Document(ids), lambda b, h, q, k: ids[q].item() == ids[k].item()


def _cross_documents(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    ids, key_ids = torch.randint(0, 2, (batch, q_len)), torch.randint(0, 2, (batch, k_len))
    return Document(ids, key_ids), lambda b, h, q, k: ids[b, q].item() == key_ids[b, k].item()


def _dense(*kept: bool) -> Make:
    def make(*sizes: int) -> tuple[Mask, Rule]:
        shape = [size if keep else 1 for size, keep in zip(sizes, kept, strict=True)]
        tensor = torch.rand(shape) < 0.5
        full = tensor.expand(sizes)
        return Dense(tensor), lambda *at: full[at].item()

    return make


def _plane(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    tensor = torch.rand(q_len, k_len) < 0.5
    return Dense(tensor), lambda b, h, q, k: tensor[q, k].item()


def _per_head(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    tensor = torch.rand(heads, q_len, k_len) < 0.5
    # Three dimensions would be refused where the first could be the batch.
    mask = Dense(tensor[None] if batch == heads else tensor)
    return mask, lambda b, h, q, k: tensor[h, q, k].item()


def _counts(*kept: bool) -> Make:
    def make(*sizes: int) -> tuple[Mask, Rule]:
        shape = [size if keep else 1 for size, keep in zip(sizes[:3], kept, strict=True)]
        counts = torch.randint(-1, sizes[3] + 2, shape)
        full = counts.expand(sizes[:3])
        return KeyCounts(counts), lambda b, h, q, k: k < full[b, h, q].item()

    return make


def _counts_of_sequences(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    counts = torch.randint(0, k_len + 1, (batch, q_len))
    return KeyCounts(counts), lambda b, h, q, k: k < counts[b, q].item()


def _counts_of_queries(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Mask, Rule]:
    counts = torch.randint(0, k_len + 1, (q_len,))
    return KeyCounts(counts), lambda b, h, q, k: k < counts[q].item()


MASKS: dict[str, Make] = {
    "Causal": lambda *_: (Causal(), lambda b, h, q, k: k <= q),
    "SlidingWindow left": lambda *_: (SlidingWindow(2), lambda b, h, q, k: k in (q - 2, q - 1, q)),
    "SlidingWindow both": lambda *_: (SlidingWindow(1, 2), lambda b, h, q, k: -1 <= k - q <= 2),
    "SlidingWindow self": lambda *_: (SlidingWindow(0), lambda b, h, q, k: k == q),
    "Block": lambda *_: (Block(3), lambda b, h, q, k: k in range(q - q % 3, q - q % 3 + 3)),
    "Prefix": lambda *_: (Prefix(2), lambda b, h, q, k: k in (0, 1)),
    "Prefix per sequence": _prefixes,
    "Padding lengths": _padding,
    "Padding keep": _keep,
    "Padding ignore": _ignore,
    "Document": _documents,
    "Document shared": _shared_documents,
    "Document cross": _cross_documents,
    "Dense": _dense(True, True, True, True),
    "Dense 2-d": _plane,
    "Dense 3-d": _per_head,
    "Dense batch": _dense(True, False, True, True),
    "Dense rows": _dense(False, False, True, False),
    "Dense keys": _dense(True, False, False, True),
    "Dense one": _dense(False, False, False, False),
    "KeyCounts": _counts_of_sequences,
    "KeyCounts shared": _counts_of_queries,
    "KeyCounts per head": _counts(True, True, True),
    "KeyCounts heads": _counts(False, True, False),
    "And": lambda *_: (Causal() & Block(2), lambda b, h, q, k: k <= q and k // 2 == q // 2),
    "Or": lambda *_: (Causal() | Prefix(3), lambda b, h, q, k: k <= q or k < 3),
    "Not": lambda *_: (~Causal(), lambda b, h, q, k: k > q),
}
SIZES = [(2, 3, 5, 7), (1, 1, 1, 1), (3, 1, 7, 4), (2, 2, 9, 9)]
every_mask = all_in_one("make", MASKS.values(), ids=MASKS)


def indices(batch: int, heads: int, q_len: int, k_len: int, q_offset: int = 0) -> list[Tensor]:
    """Return b, h, q, k as the operator passes them in dense evaluation."""
    lengths = (batch, heads, q_len, k_len)
    views = [[-1 if axis == here else 1 for axis in range(4)] for here in range(4)]
    b, h, q, k = (torch.arange(n).view(v) for n, v in zip(lengths, views, strict=True))
    return [b, h, q + q_offset, k]


def call(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Tensor, Tensor]:
    """Return a query and a key of these sizes."""
    return torch.zeros(batch, heads, q_len, 4), torch.zeros(batch, heads, k_len, 4)


def test_every_mask_of_the_shop_window_is_in_the_table() -> None:
    tested = {name.split()[0] for name in MASKS}
    assert tested | {"Mask"} == set(regard.masks.__all__)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@every_mask
def test_dense_evaluation_is_the_rule_pair_by_pair(make: Make, sizes: tuple[int, ...]) -> None:
    mask, rule = make(*sizes)
    dense = mask(*indices(*sizes))
    assert dense.dtype == torch.bool
    dense = dense.expand(sizes)
    wrong = [
        at for at in itertools.product(*(range(n) for n in sizes)) if dense[at].item() != rule(*at)
    ]
    assert not wrong


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@every_mask
def test_dense_evaluation_is_torch_create_mask(make: Make, sizes: tuple[int, ...]) -> None:
    mask, _ = make(*sizes)
    batch, heads, q_len, k_len = sizes
    expected = create_mask(mask, batch, heads, q_len, k_len, device="cpu")
    assert torch.equal(mask(*indices(*sizes)).expand(sizes), expected)


@all_in_one("name", MASKS)
def test_a_mask_that_does_not_look_at_heads_is_not_computed_per_head(name: str) -> None:
    mask, _ = MASKS[name](2, 3, 5, 7)
    dense = mask(*indices(2, 3, 5, 7))
    assert dense.ndim == 4
    of_heads = {"Dense", "Dense 3-d", "KeyCounts per head", "KeyCounts heads"}
    assert dense.shape[1] == (3 if name in of_heads else 1)


@pytest.mark.parametrize("empty", [0, 1, 2, 3])
@every_mask
def test_empty_axes_give_empty_masks(make: Make, empty: int) -> None:
    sizes = [2, 3, 5, 7]
    sizes[empty] = 0
    mask, _ = make(*sizes)
    mask.check(*call(*sizes))
    assert mask(*indices(*sizes)).expand(sizes).numel() == 0


@every_mask
def test_later_queries_see_the_later_rows_of_the_full_mask(make: Make) -> None:
    mask, _ = make(2, 3, 7, 7)
    full = mask(*indices(2, 3, 7, 7)).expand(2, 3, 7, 7)
    bound = mask.aligned(0)
    for offset in range(7):
        part = bound(*indices(2, 3, 7 - offset, 7, q_offset=offset)).expand(2, 3, 7 - offset, 7)
        assert torch.equal(part, full[:, :, offset:])


@every_mask
def test_alignment_is_idempotent_and_keeps_the_full_call(make: Make) -> None:
    mask, _ = make(2, 3, 7, 7)
    once = mask.aligned(0)
    twice = once.aligned(0)
    for other in (once, twice):
        assert torch.equal(
            mask(*indices(2, 3, 7, 7)).expand(2, 3, 7, 7),
            other(*indices(2, 3, 7, 7)).expand(2, 3, 7, 7),
        )


@every_mask
def test_masks_leave_their_inputs_and_themselves_alone(make: Make) -> None:
    mask, _ = make(2, 3, 5, 7)
    given = indices(2, 3, 5, 7)
    before = copy.deepcopy(given)
    first = mask(*given).clone()
    assert all(torch.equal(x, y) for x, y in zip(given, before, strict=True))
    assert torch.equal(mask(*given), first)
    field = dataclasses.fields(mask)[0].name if dataclasses.fields(mask) else "anything"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(mask, field, None)


@every_mask
def test_masks_print_on_one_short_line(make: Make) -> None:
    mask, _ = make(2, 3, 500, 700)
    assert "\n" not in repr(mask) and "tensor(" not in repr(mask) and len(repr(mask)) < 80


@every_mask
def test_masks_compare_to_a_plain_truth_value_and_hash(make: Make) -> None:
    mask, _ = make(2, 3, 5, 7)
    other, _ = make(2, 3, 5, 7)
    assert (mask == mask) is True
    assert (mask == other) in (True, False)
    assert (mask == 3) is False
    assert hash(mask) == hash(mask)
    if mask == other:
        assert hash(mask) == hash(other)


@every_mask
def test_a_fitting_call_passes_the_check(make: Make) -> None:
    for sizes in SIZES:
        mask, _ = make(*sizes)
        mask.check(*call(*sizes))
        (mask & Causal() | ~mask).check(*call(*sizes))


TENSOR_FREE = [
    lambda: Causal(),
    lambda: SlidingWindow(3),
    lambda: SlidingWindow(3, 1),
    lambda: Block(4),
    lambda: Prefix(2),
    lambda: Causal() & SlidingWindow(3),
    lambda: Causal() | Prefix(2),
    lambda: ~Block(4),
    lambda: ~(Causal() & SlidingWindow(3)) | Prefix(2),
]


@pytest.mark.parametrize("make", TENSOR_FREE)
def test_equal_parameters_are_equal_values(make: Callable[[], Mask]) -> None:
    assert make() == make() and make() is not make()
    assert hash(make()) == hash(make())
    assert {make(): 1}[make()] == 1


def test_different_parameters_are_different_values() -> None:
    values = {make() for make in TENSOR_FREE}
    assert len(values) == len(TENSOR_FREE)
    assert Causal() & Block(2) != Causal() | Block(2)
    assert Causal() & Block(2) != Block(2) & Causal()
    assert Prefix(2) != SlidingWindow(2)


def test_masks_with_tensors_equal_only_themselves() -> None:
    lengths = torch.tensor([1, 2])
    assert Padding(lengths) != Padding(lengths.clone())
    assert Prefix(lengths) != Prefix(lengths.clone())
    assert Prefix(lengths) == Prefix(lengths)
    padding = Padding(lengths)
    assert Causal() & padding == Causal() & padding


atoms = st.one_of(
    st.just(Causal()),
    st.builds(SlidingWindow, st.integers(0, 4), st.integers(0, 4)),
    st.builds(Block, st.integers(1, 5)),
    st.builds(Prefix, st.integers(0, 5)),
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda x, y: x & y, inner, inner),
        st.builds(lambda x, y: x | y, inner, inner),
        st.builds(lambda x: ~x, inner),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "text",
    [
        "Causal() & SlidingWindow(left=128, right=0) & ~Block(size=4)",
        "Causal() & (Block(size=2) & Prefix(length=1))",
        "(Causal() | Block(size=2)) & Prefix(length=1)",
        "Causal() & (Block(size=2) | Prefix(length=1))",
        "Causal() & Block(size=2) | Prefix(length=1) & Causal()",
        "Causal() | (Block(size=2) | Prefix(length=1))",
        "Causal() | Block(size=2) | Prefix(length=1)",
        "~(Causal() | Block(size=2))",
        "~(Causal() & Block(size=2))",
        "~~Causal() & ~Block(size=2)",
    ],
)
def test_parentheses_are_printed_where_they_are_needed_and_nowhere_else(text: str) -> None:
    assert repr(eval(text, vars(regard.masks))) == text


@hypothesis.given(expressions)
def test_what_a_mask_prints_is_the_expression_that_makes_it(mask: Mask) -> None:
    assert eval(repr(mask), vars(regard.masks)) == mask


@hypothesis.given(expressions, expressions, expressions)
def test_joined_masks_obey_boolean_laws(x: Mask, y: Mask, z: Mask) -> None:
    at = indices(1, 1, 6, 7)

    def same(left: Mask, right: Mask) -> bool:
        return torch.equal(left(*at).expand(1, 1, 6, 7), right(*at).expand(1, 1, 6, 7))

    assert same(~~x, x)
    assert same(~(x & y), ~x | ~y)
    assert same(~(x | y), ~x & ~y)
    assert same(x & y, y & x) and same(x | y, y | x)
    assert same(x & (y & z), x & y & z) and same(x | (y | z), x | y | z)
    assert same(x & (y | z), x & y | x & z)
    assert same(x | x & y, x) and same(x & (x | y), x)
    assert same(x & ~x, ~x & x & y) and (x | ~x)(*at).all()
    assert torch.equal((x & y)(*at), x(*at) & y(*at))
    assert torch.equal((x | y)(*at), x(*at) | y(*at))


def test_plain_functions_join_masks_from_either_side() -> None:
    def even_keys(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return k % 2 == 0

    at = indices(1, 1, 4, 4)
    expected = Causal()(*at) & even_keys(*at)
    for mask in (Causal() & even_keys, even_keys & Causal()):
        assert torch.equal(mask(*at), expected)
        mask.check(*call(1, 1, 4, 4))
        assert torch.equal(mask.aligned(3)(*at), expected)
    assert torch.equal((even_keys | Causal())(*at), Causal()(*at) | even_keys(*at))
    assert repr(Causal() & even_keys) == "Causal() & even_keys"


@pytest.mark.parametrize(
    "join",
    [
        lambda mask: mask and Block(2),
        lambda mask: mask or Block(2),
        lambda mask: not mask,
        lambda mask: mask & torch.ones(2, 2, dtype=torch.bool),
        lambda mask: mask | torch.ones(2, 2, dtype=torch.bool),
        lambda mask: mask & True,
    ],
)
def test_what_would_drop_a_mask_is_refused(join: Callable[[Mask], object]) -> None:
    with pytest.raises(TypeError, match="mask"):
        join(Causal())


def test_binding_reaches_the_parts_of_a_joined_mask() -> None:
    rows = Dense(torch.rand(2, 5) < 0.5)
    joined = ~(Causal() & rows) | Prefix(1)
    at = indices(1, 1, 2, 5, q_offset=3)
    expected = ~(Causal()(*at) & rows.tensor) | Prefix(1)(*at)
    assert torch.equal(joined.aligned(3)(*at), expected)
    unbound = Causal() & Block(2)
    assert unbound.aligned(3) is unbound


@pytest.mark.parametrize(
    ("mask", "numbers"),
    [
        (Padding(torch.tensor([1, 2, 3])), ("batch 3", "batch 2")),
        (Padding(keep=torch.ones(2, 6, dtype=torch.bool)), ("k_len 6", "k_len 7")),
        (Padding(ignore=torch.ones(4, 7, dtype=torch.bool)), ("batch 4", "batch 2")),
        (Prefix(torch.tensor([1, 2, 3])), ("batch 3", "batch 2")),
        (Document(torch.zeros(2, 6, dtype=torch.int64)), ("length 6", "k_len 7")),
        (Document(torch.zeros(4, 7, dtype=torch.int64)), ("batch 4", "batch 2")),
        (
            Document(torch.zeros(4, dtype=torch.int64), torch.zeros(7, dtype=torch.int64)),
            ("4", "5"),
        ),
        (Dense(torch.ones(5, 6, dtype=torch.bool)), ("k_len 6", "k_len 7")),
        (Dense(torch.ones(4, 7, dtype=torch.bool)), ("q_len 4", "q_len 5")),
        (Dense(torch.ones(6, 7, dtype=torch.bool)), ("q_len 6", "q_len 5")),
        (Dense(torch.ones(6, 5, 7, dtype=torch.bool)), ("heads 6", "heads 3")),
        (Dense(torch.ones(3, 1, 5, 7, dtype=torch.bool)), ("batch 3", "batch 2")),
        (Dense(torch.ones(4, 7, dtype=torch.bool), first_query=0), ("q_len 4", "q_len 5")),
        (Dense(torch.ones(9, 6, dtype=torch.bool), first_query=0), ("k_len 6", "k_len 7")),
        (KeyCounts(torch.ones(4, dtype=torch.int64)), ("q_len 4", "q_len 5")),
        (KeyCounts(torch.ones(3, 5, dtype=torch.int64)), ("batch 3", "batch 2")),
        (KeyCounts(torch.ones(2, 2, 5, dtype=torch.int64)), ("heads 2", "heads 3")),
        (
            Dense(torch.ones(5, 7, dtype=torch.bool), first_query=torch.tensor([0, 0, 0])),
            ("batch 3", "batch 2"),
        ),
    ],
    ids=str,
)
def test_a_mask_of_another_size_is_refused_with_both_numbers(
    mask: Mask, numbers: tuple[str, str]
) -> None:
    for whole in (mask, Causal() & ~mask):
        with pytest.raises(ValueError) as caught:
            whole.check(*call(2, 3, 5, 7))
        assert all(re.search(number, str(caught.value)) for number in numbers)
        assert type(mask).__name__ in str(caught.value) and ";" in str(caught.value)


@pytest.mark.parametrize(
    "mask",
    [
        Padding(torch.tensor([1, 2], device="meta")),
        Prefix(torch.tensor([1, 2], device="meta")),
        Document(torch.zeros(7, dtype=torch.int64, device="meta")),
        Dense(torch.ones(5, 7, dtype=torch.bool, device="meta")),
        Dense(torch.ones(5, 7, dtype=torch.bool), torch.tensor([0, 0], device="meta")),
        KeyCounts(torch.ones(5, dtype=torch.int64, device="meta")),
    ],
    ids=str,
)
def test_a_mask_on_another_device_is_refused_by_name(mask: Mask) -> None:
    with pytest.raises(ValueError, match=r"is on meta but query is on cpu; .*\.to\('cpu'\)"):
        mask.check(*call(2, 3, 5, 7))


OFFSETS = torch.tensor([4, 1])
CALL_ROWS = ("Dense", "KeyCounts", "Document cross")


@all_in_one("name", MASKS)
def test_each_sequence_may_stand_at_an_offset_of_its_own(name: str) -> None:
    """Row by row it is the call with that offset, for masks as they are and joined."""
    of_call = name.startswith(CALL_ROWS)
    mask, _ = MASKS[name](2, 3, 5 if of_call else 9, 9)
    made = [mask, Causal() & ~mask | mask]
    if of_call:
        made.append(dataclasses.replace(MASKS[name](2, 3, 9, 9)[0], first_query=0))
    b, h, q, k = indices(2, 3, 5, 9)
    for whole in made:
        each = whole.aligned(OFFSETS)
        each.check(*call(2, 3, 5, 9))
        found = each(b, h, q + OFFSETS.view(2, 1, 1, 1), k).expand(2, 3, 5, 9)
        for row, offset in enumerate(OFFSETS.tolist()):
            wanted = whole.aligned(offset)(b[row : row + 1], h, q + offset, k)
            assert torch.equal(found[row : row + 1], wanted.expand(1, 3, 5, 9))
        again = each.aligned(OFFSETS)(b, h, q + OFFSETS.view(2, 1, 1, 1), k)
        assert torch.equal(again.expand(2, 3, 5, 9), found)


@pytest.mark.parametrize(
    "mask",
    [
        Dense(torch.ones(8, 9, dtype=torch.bool), first_query=0),
        Dense(torch.ones(20, 9, dtype=torch.bool), first_query=2),
        KeyCounts(torch.ones(8, dtype=torch.int64), first_query=0),
        Document(torch.zeros(8, dtype=torch.int64)),
    ],
    ids=str,
)
def test_a_sequence_that_stands_where_no_row_is_is_refused(mask: Mask) -> None:
    b, h, q, k = indices(2, 3, 5, 8)
    with pytest.raises(ValueError, match=r"has \d+ rows, .* asks for .*; give a row"):
        mask.aligned(OFFSETS)(b, h, q + OFFSETS.view(2, 1, 1, 1), k)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: SlidingWindow(n), lambda n: SlidingWindow(1, n), lambda n: Block(n),
        lambda n: Prefix(n), lambda n: Causal() & ~SlidingWindow(n),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numpy_integers_are_the_integers_they_stand_for(
    make: Callable[[int], Mask], kind: type
) -> None:
    mask = make(kind(3))
    assert mask == make(3) and hash(mask) == hash(make(3)) and repr(mask) == repr(make(3))
    for value in vars(mask).values():
        assert type(value) is int or isinstance(value, Mask)
    for wrong in (True, np.bool_(True), torch.tensor(3), "3"):
        with pytest.raises(Exception, match="int|Index"):
            make(wrong)


@pytest.mark.parametrize("kind", [int, np.int64, np.int16])
def test_a_first_query_may_be_a_numpy_integer(kind: type) -> None:
    rows, counts = torch.rand(4, 5) < 0.5, torch.tensor([1, 2, 3, 4])
    for mask in (
        Dense(rows, kind(2)), KeyCounts(counts, kind(2)),
        Document(counts, key_ids=counts, first_query=kind(2)),
    ):  # fmt: skip
        assert type(mask.first_query) is int and "first_query=2" in repr(mask)
        for wrong in (True, 1.5, torch.tensor(2), torch.tensor([2.0])):
            with pytest.raises(Exception, match="first_query"):
                dataclasses.replace(mask, first_query=wrong)


@every_mask
def test_masks_need_no_device_but_that_of_their_tensors(make: Make) -> None:
    """Whatever device tensors are made on by default."""
    mask, _ = make(2, 3, 5, 7)
    given, fitting = indices(2, 3, 5, 7), call(2, 3, 5, 7)
    wanted = mask(*given)
    with torch.device("meta"):
        mask.check(*fitting)
        found = mask.aligned(0)(*given)
    assert found.device.type == "cpu" and torch.equal(found, wanted)


@every_mask
def test_masks_are_evaluated_without_numbers(make: Make) -> None:
    """On meta tensors and fake ones nothing can be looked at."""
    with torch.device("meta"):
        mask, _ = make(2, 3, 5, 7)
        mask.check(*call(2, 3, 5, 7))
        meta = mask.aligned(0)(*indices(2, 3, 5, 7))
    with FakeTensorMode():
        mask, _ = make(2, 3, 5, 7)
        mask.check(*call(2, 3, 5, 7))
        fake = mask.aligned(0)(*indices(2, 3, 5, 7))
    real = make(2, 3, 5, 7)[0](*indices(2, 3, 5, 7))
    assert meta.shape == fake.shape == real.shape
    assert meta.dtype == fake.dtype == real.dtype


@every_mask
def test_masks_are_evaluated_in_inference_mode_and_by_vmap(make: Make) -> None:
    mask, _ = make(2, 3, 5, 7)
    b, h, q, k = indices(2, 3, 5, 7)
    wanted = mask(b, h, q, k).expand(2, 3, 5, 7)
    with torch.inference_mode():
        assert torch.equal(mask(*indices(2, 3, 5, 7)).expand(2, 3, 5, 7), wanted)
    by_sequence = torch.func.vmap(lambda b: mask(b.view(1, 1, 1, 1), h, q, k).expand(1, 3, 5, 7))
    assert torch.equal(by_sequence(torch.arange(2)).squeeze(1), wanted)
    by_query = torch.func.vmap(lambda q: mask(b, h, q.view(1, 1, 1, 1), k).expand(2, 3, 1, 7))
    assert torch.equal(by_query(q.flatten()).squeeze(3).movedim(0, 2), wanted)
