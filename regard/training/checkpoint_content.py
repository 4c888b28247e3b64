"""What a run resumes from: a checkpoint that is whole is read with suspicion all the same.

Digests say that nothing changed since it was written. That it is of this run, and of a kind that
this version understands, they do not say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from regard.errors import RegardError
from regard.training.checkpoint import Checkpoint
from regard.training.trainer_state import TrainerState

STATE, _STATE_IN_0_1 = "state", "course"
NAMED = 3
"""Weights that are named when they are not those of the network."""


class UnusableCheckpoint(RegardError, ValueError):
    """A checkpoint that is whole and from which this run cannot be resumed."""


@dataclass(frozen=True)
class Content:
    """What is not a tensor in a checkpoint.

    Args:
        state: how far the run had come.
        place: where it stood in the data, or for a stream where each process stood.
        accumulate: micro-batches to an update; None where an older version did not say.
        world: the processes that shared a stream out.
    """

    state: TrainerState
    place: dict[str, Any] | list[dict[str, Any]]
    accumulate: int | None
    world: int


def state_in(checkpoint: Checkpoint) -> TrainerState:
    """The training state that a checkpoint holds.

    Raises `UnusableCheckpoint` where it holds none, or one of another step.
    """
    entries = checkpoint.state
    for key in (STATE, _STATE_IN_0_1):
        if key in entries:
            try:
                state = TrainerState.from_entries(entries[key])
            except ValueError as error:
                raise UnusableCheckpoint(f"{checkpoint.path}: {error}") from None
            if state.step != checkpoint.step:
                raise UnusableCheckpoint(
                    f"{checkpoint.path} is of step {checkpoint.step}, its state of {state.step}"
                )
            return state
    raise UnusableCheckpoint(
        f"{checkpoint.path} has no training state; resume from another checkpoint"
    )


def content_of(checkpoint: Checkpoint) -> Content:
    """All of a checkpoint that is not a tensor.

    Raises `UnusableCheckpoint` for what is missing or of another type.
    """
    state, entries = state_in(checkpoint), checkpoint.state
    place: Any = entries.get("place")
    if not all(map(_is_place, place if isinstance(place, list) else [place])):
        raise _wrong(
            checkpoint, "place", "seed, epoch, index and digest, or a list of these", place
        )
    for key in ("accumulate", "world"):
        number = entries.get(key, 1)
        if type(number) is not int or number < 1:
            raise _wrong(checkpoint, key, "1 or more", number)
    return Content(state, place, entries.get("accumulate"), entries.get("world", 1))


def require_weights_of(
    checkpoint: Checkpoint, found: Mapping[str, Sequence[int]], own: Mapping[str, Tensor]
) -> None:
    """Raise `UnusableCheckpoint` unless tensors of these names and shapes are a network's own."""
    faults = [f"it lacks {name}" for name in own.keys() - found.keys()]
    faults += [f"it has {name}" for name in found.keys() - own.keys()]
    faults += [
        f"{name} is {list(found[name])} and not {list(own[name].shape)}"
        for name in own.keys() & found.keys()
        if list(found[name]) != list(own[name].shape)
    ]
    if faults:
        shown = ", ".join(sorted(faults)[:NAMED])
        more = f", and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise UnusableCheckpoint(f"{checkpoint.path} is of another network: {shown}{more}")


def _is_place(place: object) -> bool:
    """Whether it is what `Feed.state` gives."""
    if not isinstance(place, dict):
        return False
    numbers = [place.get(key) for key in ("seed", "epoch", "index")]
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return whole and isinstance(place.get("digest"), str)


def _wrong(checkpoint: Checkpoint, key: str, wanted: str, got: object) -> UnusableCheckpoint:
    return UnusableCheckpoint(
        f"{checkpoint.path} has a state whose {key} must be {wanted}, got {ascii(got)[:80]}"
    )
