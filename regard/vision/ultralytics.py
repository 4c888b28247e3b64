"""Blocks in a detector that Ultralytics' trainer rebuilds from its configuration.

    class Trainer(TrainsWithBlocks, DetectionTrainer):     # ultralytics.models.yolo.detect
        plan = Plan.load("blocks.json")

    yolo = YOLO("yolo11n.pt")
    yolo.train(trainer=Trainer, data="coco8.yaml", epochs=3)
    print(yolo.trainer.transferred)                        # transferred 499 of 499 tensors; ...

The package is not imported here: all that matters is that a trainer's `get_model` builds a network
and loads weights into it with the network's own `load`.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from regard._io.unwrapping import Found, places, shapes_of
from regard.vision.plan import Plan, Transferred


class TrainsWithBlocks:
    """The first base class of a trainer: `get_model` inserts blocks between building and loading.

    Weights from before the insertion keep their names, and checkpoints with blocks match theirs,
    so that fine-tuning and resuming work alike. Derive from it in an importable module, which
    training on several devices needs.

    Attributes:
        plan: of the blocks, as returned by `regard.insert(yolo.model, ...)`.
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

    plan: ClassVar[Plan]
    transferred: Transferred | None = None

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        """The configured network with its blocks, and with the given weights.

        Raises `ValueError` where the network takes none of them.
        """
        built: Any = super().get_model(cfg=cfg, weights=None, verbose=verbose)  # type: ignore[misc]
        self.plan.apply(built)
        if weights is not None:
            built.load(weights)
            self.transferred = self._transferred(built, weights)
        return built

    def _transferred(self, built: nn.Module, weights: Any) -> Transferred:
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
        return self.plan.transferred(built, best.tensors, loaded(best), str(best))
