"""What a run writes: its log, the best model, and checkpoints to resume from."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from regard._io.faults import writing
from regard._io.manifest import NAME as MANIFEST
from regard._io.manifest import verify_all, verify_manifest, write_manifest
from regard.errors import UsageError
from regard.models.checkpoint import WEIGHTS
from regard.models.older import RENAMED, UNSAVED
from regard.models.weights import Value, renamed_weights, shared_names
from regard.tasks.predictor import Predictor
from regard.training.checkpoint import Checkpoint, verified
from regard.training.checkpoint_content import (
    STATE,
    UnusableCheckpoint,
    require_weights_of,
    state_in,
)
from regard.training.optimizers import like, require_moments_of, whole
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, CHECKPOINTS, Journal
from regard.training.saver import Saver
from regard.training.swapped_folder import replace_folder
from regard.training.trainer_state import Progress, TrainerState


def require_best(folder: Path) -> None:
    """Raise `UsageError` when a run's best model exists but is not as it was written."""
    best = folder / BEST
    if best.exists():
        try:
            verify_manifest(best, [WEIGHTS])
            verify_all(best)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{error}; or remove {best} and start again: the network as it is in the newest "
                "checkpoint takes its place"
            ) from None


class RunWriter:
    """Writes to a run's folder; the main process writes, the others contribute their shards.

    Args:
        predictor: what is saved as the best model.
        folder: the existing folder of the run.
        ranks: the processes that train together.
    """

    def __init__(self, predictor: Predictor, folder: Path, ranks: Ranks) -> None:
        self.predictor, self.folder, self.ranks = predictor, folder, ranks
        self.model = predictor.model
        self.journal = Journal(folder if ranks.is_main else None)
        self.saver = Saver(folder / CHECKPOINTS)
        tag = str(getattr(getattr(self.model, "config", None), "tag", None))
        self._renamed, self._unsaved = RENAMED.get(tag, {}), UNSAVED.get(tag, "")

    def has_best(self) -> bool:
        """Whether there is a best model; the same on all processes."""
        return bool(self.ranks.broadcast("yes" if (self.folder / BEST).exists() else ""))

    def keep_best(self) -> None:
        """Write the model as `best/`."""
        weights = self.weights()
        if self.ranks.is_main:
            with writing(self.folder / BEST) as best:
                replace_folder(best, lambda new: self._save(new, weights))
        self.ranks.broadcast()

    def _save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        self.predictor.save(folder, weights)
        if not (folder / MANIFEST).exists():  # A predictor of the user's own may write none.
            write_manifest(folder, sorted(path.name for path in folder.iterdir()))

    def load_best(self) -> None:
        """Load the weights of `best/`; raises `UsageError` when they are damaged."""
        require_best(self.folder)
        weights = self._of_today(load_file(self.folder / BEST / WEIGHTS))
        for name, first in shared_names(self.model).items():
            weights[name] = weights[first]
        self.load(weights)

    def evaluated_steps(self, up_to: int) -> list[int]:
        """The steps whose checkpoint was written after an evaluation, oldest first.

        Those written on a signal or by the clock are excluded: they depend on more than steps.
        """
        found = verified(self.saver.folder)
        return [
            each.step for each in found if each.step <= up_to and _evaluated_step(each) == each.step
        ]

    def save(
        self,
        state: TrainerState,
        optimizer: Mapping[str, Tensor],
        more: Mapping[str, Any],
        protect: Collection[int] = (),
    ) -> None:
        """Write a checkpoint in the background; `more` is additional non-tensor state.

        Args:
            protect: steps whose checkpoints are kept.
        """
        tensors = {"model": self.weights(), "optimizer": optimizer}
        if self.ranks.is_main:
            done = self.saver.wait()
            self.saver.save(state.step, tensors, {STATE: asdict(state), **more}, protect)
            if done is not None:
                text = f"{done.path.name}: {done.bytes:,} bytes in {done.seconds:.3f} s"
                self.event(state, "saved", f"{text}, training paused for {self.saver.pause:.3f} s")
        self.ranks.broadcast()

    def require_own(self, checkpoint: Checkpoint) -> None:
        """Raise `UnusableCheckpoint` for the weights or the optimizer of another network."""
        own = self.model.state_dict()
        try:
            shapes, moments = checkpoint.shapes("model"), checkpoint.shapes("optimizer")
            beside = {self._unsaved: own[self._unsaved].shape} if self._unsaved in own else {}
            found = beside | renamed_weights(shapes, self._renamed)
            require_weights_of(checkpoint, found, own)
            require_moments_of(self.model, self._moments_of_today(moments))
        except (KeyError, ValueError) as error:
            if isinstance(error, UnusableCheckpoint):
                raise
            raise UnusableCheckpoint(f"{checkpoint.path}: {error}") from None

    def weights_in(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """The weights of a checkpoint, also of one that version 0.1 wrote."""
        return self._of_today(checkpoint.read("model"))

    def _of_today(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights under today's names, with the tensor that version 0.1 did not save."""
        own = self.model.state_dict()
        beside = {self._unsaved: own[self._unsaved]} if self._unsaved in own else {}
        return beside | renamed_weights(weights, self._renamed)

    def optimizer_in(self, checkpoint: Checkpoint) -> dict[str, Tensor]:
        """The optimizers' state of each weight (`exp_avg/NAME`), likewise."""
        return self._moments_of_today(checkpoint.read("optimizer"))

    def _moments_of_today(self, found: Mapping[str, Value]) -> dict[str, Value]:
        ways = {f"{key.partition('/')[0]}/" for key in found}
        renamed = {way + old: way + new for way in ways for old, new in self._renamed.items()}
        return renamed_weights(found, renamed)

    def load_mean(self, steps: Collection[int]) -> int:
        """Load the mean of the weights of these steps; returns how many there are.

        Integer tensors, such as the features of items, are unchanged.
        """
        self.ranks.broadcast()
        own = self.weights()
        found = [each for each in verified(self.saver.folder) if each.step in steps]
        mean = {
            name: torch.zeros_like(tensor, dtype=torch.float64)
            for name, tensor in own.items()
            if tensor.is_floating_point()
        }
        for each in found:
            for name, tensor in self.weights_in(each).items():
                if name in mean:
                    mean[name] += tensor.double() / len(found)
        self.load(own | {name: tensor.to(own[name].dtype) for name, tensor in mean.items()})
        return len(found)

    def weights(self) -> dict[str, Tensor]:
        """All weights, gathered, on the CPU; call it on every process."""
        return {name: whole(tensor) for name, tensor in self.model.state_dict().items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Load these full weights, wherever and however the model's are stored."""
        own = self.model.state_dict()
        self.model.load_state_dict(
            {name: like(t, own[name]) for name, t in weights.items() if name in own}
        )

    def event(self, state: TrainerState, event: str, text: str) -> None:
        """Log an event."""
        self.journal.log("event", step=state.step, event=event, text=text)

    def scores(self, kind: str, state: TrainerState, scores: Mapping[str, float]) -> None:
        """Log the metrics of a split."""
        if scores:
            about = {"step": state.step, "epoch": state.epoch, "seconds": state.seconds}
            self.journal.log(kind, **about, **scores)

    def progress(self, progress: Progress) -> None:
        """Log the progress of training."""
        self.journal.log("train", **asdict(progress))


def _evaluated_step(checkpoint: Checkpoint) -> int | None:
    try:
        return state_in(checkpoint).evaluated_step
    except UnusableCheckpoint:
        return None
