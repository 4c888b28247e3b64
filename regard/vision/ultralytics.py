"""Blocks in a detector that Ultralytics' trainer rebuilds from its configuration.

    class Trainer(TrainsWithBlocks, DetectionTrainer):     # ultralytics.models.yolo.detect
        plan = Plan.load("blocks.json")

    yolo = YOLO("yolo11n.pt")
    yolo.train(trainer=Trainer, data="coco8.yaml", epochs=3)
    print(yolo.trainer.transferred)                        # transferred 499 of 499 tensors; ...

    YOLO("last.pt").train(trainer=Trainer, resume=True)    # without it, built without the blocks

The package is not imported here: all that matters is that a trainer's `get_model` builds a network
and loads weights into it with the network's own `load`.
"""

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from regard._io.unwrapping import Found, places, shapes_of
from regard._printable import shortened
from regard.vision.plan import Make, Plan, Transferred


class TrainsWithBlocks:
    """The first base class of a trainer: `get_model` inserts blocks between building and loading.

    Weights from before the insertion keep their names, and checkpoints with blocks match theirs,
    so that fine-tuning and resuming work alike: give the trainer for both. Derive from it in an
    importable module, which training on several devices needs. `freeze=10` freezes the blocks of
    those layers with them.

    Attributes:
        plan: of the blocks, as returned by `regard.insert(yolo.model, ...)`; by default those that
            the weights have, such as `last.pt` when training is resumed.
        blocks: makes the blocks of the plan that are your own, by their names.
        transferred: the result of loading weights, once some were loaded.

    Example:
        >>> class Builds:
        ...     def get_model(self, cfg=None, weights=None, verbose=True):
        ...         return nn.Sequential(nn.Conv2d(3, cfg, 3))
        >>> import regard
        >>> plan = regard.insert(Builds().get_model(8), "se(reduction=4)", after="0", dry_run=True)
        >>> class Trainer(TrainsWithBlocks, Builds):
        ...     pass
        >>> Trainer.plan = plan
        >>> type(Trainer().get_model(8)[0].se).__name__
        'SqueezeExcitation'
    """

    plan: ClassVar[Plan | None] = None
    blocks: ClassVar[Mapping[str, Make]] = {}
    transferred: Transferred | None = None

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        """The configured network with its blocks, and with the given weights.

        Warns of blocks that the weights have and the plan lacks. Raises `ValueError` where the
        network takes none of the weights, or neither they nor `plan` say which blocks.
        """
        built: Any = super().get_model(cfg=cfg, weights=None, verbose=verbose)  # type: ignore[misc]
        theirs = Plan.of(weights) if isinstance(weights, nn.Module) else Plan(())
        plan = theirs if self.plan is None else self.plan
        if self.plan is None and not plan.places:
            raise ValueError(
                f"which blocks? {type(self).__name__} has no plan, and the weights no blocks: set "
                f"{type(self).__name__}.plan = regard.insert(yolo.model, ..., dry_run=True)"
            )
        if lacks := {place.key for place in theirs.places} - {place.key for place in plan.places}:
            warnings.warn(
                f"the weights have blocks that are not in the plan, and are lost: "
                f"{shortened(', '.join(sorted(lacks)), 300)}",
                stacklevel=2,
            )
        plan.apply(built, self.blocks)
        if weights is not None:
            built.load(weights)
            self.transferred = self._transferred(plan, built, weights)
        return built

    def _transferred(self, plan: Plan, built: nn.Module, weights: Any) -> Transferred:
        mine = built.state_dict()

        def loaded(found: Found) -> dict[str, Tensor]:
            each = {name: found.tensors[name] for name in found.fitting}
            return {n: t for n, t in each.items() if torch.equal(mine[n], t.to(mine[n]))}

        # Which of several copies the trainer takes is its business: what it loaded is there.
        found = places(weights, shapes_of(built))
        best = max(found, key=lambda each: len(loaded(each)), default=None)
        if best is None or not loaded(best):
            raise ValueError(
                "no tensor of the weights is in the network now: its `load` took none of them; "
                "are they those of another network?"
            )
        return plan.transferred(built, best.tensors, loaded(best), str(best))
