import copy

import pytest

from regard.errors import CheckpointMismatch, RegardError, UnsupportedByBackend

REASONS = {"sdpa": ["the normalizer is sparsemax", "dropout is 0.1"], "flex": ["k_len is 0"]}


def test_a_named_backend_gives_its_own_reasons_first_and_the_others_after() -> None:
    error = UnsupportedByBackend("sdpa", REASONS)
    first, rest = str(error).split("\n", 1)
    assert "'sdpa'" in first and all(reason in first for reason in REASONS["sdpa"])
    assert "flex: k_len is 0" in rest and "sparsemax" not in rest
    assert error.backend == "sdpa" and error.reasons == REASONS


def test_no_backend_lists_every_reason() -> None:
    text = str(UnsupportedByBackend(None, REASONS))
    assert all(reason in text for reasons in REASONS.values() for reason in reasons)
    assert all(name in text for name in REASONS)


def test_a_checkpoint_names_every_offender() -> None:
    error = CheckpointMismatch(
        missing=["b", "a"], unexpected=["c"], wrong_shaped={"d": ((2, 3), (3, 2))}, where="x/y"
    )
    assert "x/y does not fit the model: 2 missing, 1 unexpected, 1 wrong-shaped." in str(error)
    assert "d is [2, 3] in the file, [3, 2] in the model" in str(error)
    assert (error.missing, error.unexpected) == (["a", "b"], ["c"])
    assert error.wrong_shaped == {"d": ([2, 3], [3, 2])}


@pytest.mark.parametrize(
    "error",
    [UnsupportedByBackend("sdpa", REASONS), CheckpointMismatch(missing=["a"], where="x")],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_caught_as_ours_and_as_value_errors_and_copy_whole(error: RegardError) -> None:
    assert isinstance(error, RegardError) and isinstance(error, ValueError)
    twin = copy.copy(error)
    assert str(twin) == str(error) and vars(twin) == vars(error)


def test_reasons_are_the_errors_own() -> None:
    reasons = {"sdpa": ["x"]}
    error = UnsupportedByBackend("sdpa", reasons)
    reasons["sdpa"].append("y")
    assert error.reasons == {"sdpa": ["x"]}
