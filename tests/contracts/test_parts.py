"""A part and its name are the same thing, for every name of `regard.parts.ROLES`."""

import importlib
import sys
import types
from typing import Any

import pytest
import torch
from torch import nn

from regard.masks import Causal, SlidingWindow
from regard.normalizers import Entmax, Softmax, softmax
from regard.parts import (
    NORMALIZERS,
    ROLES,
    SYNONYMS,
    WITH_NUMBERS,
    Dims,
    Own,
    PartOf,
    canonical,
    described,
    part,
    part_at,
    spell,
)
from regard.score_mods import Bias, Chain, SoftCap
from regard.scores import Additive, Bilinear, Cosine
from tests.one_by_one import all_in_one

DIMS = Dims(query_dim=6, key_dim=6, hidden_dim=6, num_heads=2, num_keys=7)
NUMBERED = {
    "top_k": "top_k(2)",
    "soft_cap": "soft_cap(5.0)",
    "chain": "chain(soft_cap(5.0), alibi)",
    "sliding_window": "sliding_window(2, 3)",
    "block": "block(2)",
    "prefix": "prefix(2)",
}
"""Names that need numbers, with some."""
NAMES = [(role, NUMBERED.get(name, name)) for role, table in ROLES.items() for name in table]
OPTIONS = [
    ("score", "scaled_dot(0.5)"),
    ("score", "cosine(0.3)"),
    ("score", "additive(hidden_dim=9)"),
    ("score", "luong_concat(variant=official)"),
    ("score", "mlp(hidden_dims=(5, 4), variant=paper)"),
    ("score", "mlp(hidden_dims=(5,))"),
    ("score", "location(num_keys=11)"),
    ("score", "inverse_distance(1e-10)"),
    ("normalizer", "softmax(0.5)"),
    ("normalizer", "entmax(1.3)"),
    ("normalizer", "top_k(4)"),
    ("normalizer", "gumbel_softmax(0.5, True)"),
    ("score_mod", "relative_bias(num_buckets=8, bidirectional=False)"),
    ("score_mod", "chain(relative_bias(num_buckets=8), soft_cap(2.0))"),
    ("mask", "sliding_window(3)"),
    ("mask", "causal & sliding_window(3)"),
    ("mask", "causal & sliding_window(3) & block(2)"),
]
every = all_in_one(("role", "name"), [*NAMES, *OPTIONS])
ANONYMOUS = {
    "score": {"FeatureMapDot", "elu_plus_one"},
    "normalizer": {"LocalGaussian", "Sample", "divide_by_sum"},
    "score_mod": {"Bias", "RelativeDot"},
    "mask": {"And", "Dense", "Document", "KeyCounts", "Mask", "Not", "Or", "Padding"},
}
"""Parts that hold a tensor of the call or a function, and what is no part by itself."""


def same(one: Any, other: Any) -> bool:
    """Whether two parts are of one kind and have the same numbers and sizes."""
    if isinstance(one, types.FunctionType):
        return one is other
    if isinstance(one, Chain):
        return all(map(same, one.mods, other.mods))
    if not isinstance(one, nn.Module):
        return bool(type(one) is type(other) and repr(one) == repr(other))
    shapes = [[tuple(t.shape) for t in each.state_dict().values()] for each in (one, other)]
    return type(one) is type(other) and repr(one) == repr(other) and shapes[0] == shapes[1]


@every
def test_a_part_is_made_of_its_name_and_the_name_of_the_part(role: str, name: str) -> None:
    made = part(role, name, DIMS)
    assert spell(role, made, DIMS) == canonical(role, name) == name
    assert same(part(role, spell(role, made, DIMS), DIMS), made)


@every
def test_without_widths_the_name_says_all_numbers(role: str, name: str) -> None:
    made = part(role, name, DIMS)
    whole = spell(role, made)
    assert canonical(role, whole) == whole
    assert same(part(role, whole), made)


@every
def test_what_is_learned_is_made_anew_each_time(role: str, name: str) -> None:
    one, other = part(role, name, DIMS), part(role, name, DIMS)
    pairs = zip(one.mods, other.mods, strict=True) if isinstance(one, Chain) else [(one, other)]
    for mine, theirs in pairs:
        assert not isinstance(mine, nn.Module) or mine is not theirs


@pytest.mark.parametrize("role", ROLES)
def test_every_public_part_has_a_name_or_is_known_to_have_none(role: str) -> None:
    folder = importlib.import_module(f"regard.{role}s")
    known = {id(entry) for entry in (*ROLES[role].values(), *WITH_NUMBERS.values())}
    assert {n for n in folder.__all__ if id(getattr(folder, n)) not in known} == ANONYMOUS[role]


@pytest.mark.parametrize(
    ("role", "text", "wanted"),
    [
        ("normalizer", " entmax( alpha = 1.3 )", "entmax(1.3)"),
        ("normalizer", "entmax(1.5)", "entmax"),
        ("normalizer", "entmax(2)", "entmax(2.0)"),
        ("normalizer", "entmax()", "entmax"),
        ("normalizer", "top_k(k=3)", "top_k(3)"),
        ("normalizer", "gumbel_softmax(1.0, hard=True)", "gumbel_softmax(hard=True)"),
        ("score", "mlp(hidden_dims=[5, 4])", "mlp(hidden_dims=(5, 4))"),
        ("score_mod", "chain(alibi,soft_cap(cap=5))", "chain(alibi, soft_cap(5))"),
        ("mask", "causal&sliding_window( 3 )", "causal & sliding_window(3)"),
    ],
)
def test_one_part_has_one_spelling(role: str, text: str, wanted: str) -> None:
    assert canonical(role, text) == canonical(role, wanted) == wanted
    assert same(part(role, text, DIMS), part(role, wanted, DIMS))


def test_a_name_with_numbers_is_the_class_and_without_the_function() -> None:
    assert part("normalizer", "softmax") is softmax
    assert part("normalizer", "softmax(0.5)") == Softmax(0.5)
    assert part("normalizer", "entmax(1.3)") == Entmax(1.3)
    assert spell("normalizer", Softmax(0.5)) == "softmax(0.5)"


def test_widths_come_from_where_the_part_is_used() -> None:
    dims = Dims(query_dim=4, key_dim=6, hidden_dim=5, num_heads=3)
    assert part("score", "general", dims).weight.shape == (4, 6)
    additive = part("score", "additive", dims)
    assert additive.query_weight.shape == (5, 4) and additive.key_weight.shape == (5, 6)
    projected = Dims(query_dim=4, key_dim=5, hidden_dim=5, projected=True)
    assert part("score", "additive", projected).key_weight is None
    assert part("score_mod", "relative_bias", dims).num_heads == 3
    assert spell("score", Bilinear(4, 6), dims) == "general"
    assert spell("score", Bilinear(4, 7), dims) == "general(key_dim=7)"
    assert spell("score", Additive(4, 6, 9), dims) == "additive(hidden_dim=9)"


WRONG = [
    ("score", "adddditive", "there is no score 'adddditive': did you mean additive"),
    ("score", "3", "is not a name with arguments"),
    ("score", "causal & causal", "there is no score '&'"),
    ("normalizer", "entmax(beta=2)", "unexpected keyword argument 'beta'; it takes alpha"),
    ("normalizer", "entmax(1, 2, 3)", "too many positional arguments; it takes"),
    ("normalizer", "top_k", r"normalizer top_k needs k: write top_k\(k=8\)"),
    ("normalizer", "sparsemax(2)", "sparsemax takes no numbers"),
    ("score_mod", "chain(alibi, soft_cop(3))", "there is no score_mod 'soft_cop'"),
    ("score_mod", "chain(soft_cap)", r"soft_cap needs cap: write soft_cap\(cap=8\)"),
    ("mask", "causal & widow(3)", "there is no mask 'widow'"),
    ("mask", "sliding_window", "needs .*: write sliding_window"),
]


@all_in_one(("role", "text", "why"), WRONG)
def test_a_name_that_makes_no_part_is_refused_with_what_there_is(
    role: str, text: str, why: str
) -> None:
    for read in (canonical, lambda role, text: part(role, text, DIMS)):
        with pytest.raises(ValueError, match=why):
            read(role, text)


@pytest.mark.parametrize(
    ("role", "text", "why"),
    [
        ("normalizer", "entmax(0.5)", "0.5"),
        ("normalizer", "top_k(0)", "0"),
        ("score_mod", "soft_cap(-1.0)", "-1"),
        ("score", "cosine(0.0)", "0"),
        ("mask", "block(0)", "0"),
        ("normalizer", "entmax(word)", "word"),
        ("score", "mlp(hidden_dims=())", "hidden_dims"),
        ("score", "mlp(variant=papyrus)", "papyrus"),
    ],
)
def test_numbers_that_do_not_fit_are_named_by_the_part(role: str, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        part(role, text, DIMS)


def test_a_score_that_needs_to_know_more_than_a_network_does_says_what() -> None:
    dims = Dims(query_dim=6, key_dim=6, hidden_dim=5)
    with pytest.raises(ValueError, match=r"needs num_keys: write location\(num_keys=8\)"):
        part("score", "location", dims)
    with pytest.raises(ValueError, match="general needs query_dim, key_dim: write general"):
        part("score", "general")


@all_in_one(("word", "name"), SYNONYMS.items())
def test_what_people_also_call_a_part_points_to_its_name(word: str, name: str) -> None:
    roles = [role for role, table in ROLES.items() if name in table]
    assert roles and all(word not in ROLES[role] for role in roles)
    for role in roles:
        with pytest.raises(ValueError, match=f"did you mean .*{name}"):
            canonical(role, word)


@pytest.mark.parametrize("role", ROLES)
def test_all_names_of_a_role_are_told(role: str) -> None:
    assert described(role).split(", ") == list(ROLES[role])


@pytest.mark.parametrize(
    ("role", "made"),
    [
        ("score", lambda query, key: query @ key.mT),
        ("score", len),
        ("score_mod", Bias(torch.zeros(2, 2))),
        ("score_mod", Chain(SoftCap(3.0), Bias(torch.zeros(2, 2)))),
        ("normalizer", Causal()),
        ("mask", Causal() | SlidingWindow(3)),
        ("normalizer", NORMALIZERS),
    ],
)
def test_a_part_without_a_name_is_not_spelled(role: str, made: Any) -> None:
    with pytest.raises(ValueError):
        spell(role, made, DIMS)


def test_a_field_keeps_an_object_without_a_name_as_ones_own() -> None:
    def mine(query: Any, key: Any) -> Any:
        return query @ key.mT

    field = PartOf("score")
    assert field.converted("score", Cosine(0.5)) == "cosine(0.5)"
    kept = field.converted("score", mine)
    assert kept == "mine" and isinstance(kept, Own) and kept.part is mine
    assert part("score", kept) is mine and kept.to_plain() == {"own": "mine"}
    read = field.converted("score", {"own": "mine"})
    with pytest.raises(ValueError, match=r"its score is yours \(mine\), so it has to be given"):
        part("score", read)


def test_only_what_a_user_types_is_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parts_for_this_test.py").write_text(
        "def plain(scores, mask=None):\n    return scores\n"
        "class Scaled:\n"
        "    def __init__(self, by=2):\n        self.by = by\n"
        "    def __call__(self, scores, mask=None):\n        return scores * self.by\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "parts_for_this_test:Scaled(3)"
    for read in (canonical, part, PartOf("normalizer").converted):
        with pytest.raises(ValueError):
            read("normalizer", name)
    assert part_of_file({"own": name}) == name
    assert "parts_for_this_test" not in sys.modules, "a name in a file was imported"
    made = part_at(name, "normalizer")
    assert made == name and made.part.by == 3
    assert part_at("parts_for_this_test:Scaled", "normalizer").part.by == 2
    assert part_at("parts_for_this_test:plain", "normalizer").part(5) == 5
    monkeypatch.delitem(sys.modules, "parts_for_this_test")


def part_of_file(entry: dict[str, str]) -> str:
    return PartOf("normalizer").converted("normalizer", entry)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no_such_module:Part", "cannot be imported: No module named 'no_such_module'"),
        ("math:no_such_part", "cannot be imported: module 'math' has no attribute"),
        ("math:", "is not a name with arguments"),
        ("math:sin; import os", "is not a name with arguments"),
        ("math:__import__('os')", "cannot be imported"),
    ],
)
def test_an_own_part_that_is_not_there_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        part_at(text, "score")


@pytest.mark.parametrize("text", ["location(num_keys=5555555555)", "location(8, 5555555555)"])
def test_a_number_that_takes_all_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has \w+ 5555555555; at most 16,777,216 is built"):
        part("score", text, Dims(8, 8, 8, 2))
