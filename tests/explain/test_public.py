"""What `regard.explain` offers: listed in order, explained by example, credited, credible."""

import inspect
import sys

import pytest
import torch

import regard
from regard import explain
from tests.test_public_api import REFERENCE, references

NOBODYS_INVENTION = {
    # results, and ways to hand something over
    "Ablation", "ByLayer", "CrossRelevance", "CrossRollout", "Explanation", "FoundHead",
    "HeadEffect", "HeadTags", "PatchGrid", "TaggedHead", "TokenTimes", "Words",
    # arithmetic as old as the things themselves
    "difference", "entropy", "grid_size", "heads_where", "mean_distance", "merge_words",
    "normalized", "patch_grid", "rollout_over_uniform", "to_pixels", "total_variation",
    "value_norm_of_heads", "without_sink", "words_of_ids", "words_of_offsets", "words_of_tokens",
}  # fmt: skip
NO_EXAMPLE = {
    "Ablation", "CrossRelevance", "CrossRollout", "FoundHead", "HeadEffect", "HeadTags",
    "PatchGrid", "TaggedHead", "TokenTimes",
}  # fmt: skip
"""What only comes out of a function, whose example shows it."""

CALLABLES = [name for name in explain.__all__ if name != "THRESHOLDS"]


def test_what_is_offered_is_listed_in_order_and_nothing_else_is_there() -> None:
    assert explain.__all__ == sorted(explain.__all__) and regard.explain is explain
    public = {
        name
        for name, value in vars(explain).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(explain.__all__)
    assert not any(inspect.ismodule(getattr(explain, name)) for name in explain.__all__)


@pytest.mark.parametrize("name", CALLABLES)
def test_each_is_explained_by_an_example_and_credits_its_paper(name: str) -> None:
    docstring = inspect.cleandoc(getattr(explain, name).__doc__ or "")
    first = docstring.splitlines()[0]
    assert first.endswith((".", "?", ":")) and len(first) <= 100
    assert (">>>" in docstring) != (name in NO_EXAMPLE)
    cited = references(docstring)
    assert bool(cited) != (name in NOBODYS_INVENTION)
    for entry in cited:
        assert REFERENCE.match(entry), f"not 'Authors. Title. Year. link': {entry}"


@pytest.mark.parametrize("name", [n for n in CALLABLES if n[0].islower()])
def test_each_says_what_it_gives_and_what_it_raises(name: str) -> None:
    docstring = getattr(explain, name).__doc__
    assert "Raises:" in docstring or "Arguments, errors and source" in docstring


def test_neither_scipy_nor_networkx_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("scipy", "networkx"):
        monkeypatch.setitem(sys.modules, package, None)
    assert explain.flow(torch.eye(2).expand(1, 1, 1, 2, 2)).values.sum().item() == 2.0
