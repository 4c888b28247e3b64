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
from torch import nn

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
        """The configured network with its blocks, and with the given weights."""
        built: Any = super().get_model(cfg=cfg, weights=None, verbose=verbose)  # type: ignore[misc]
        self.plan.apply(built)
        if weights is not None:
            built.load(weights)
            self.transferred = self._transferred(built, weights)
        return built

    def _transferred(self, built: nn.Module, weights: Any) -> Transferred:
        if isinstance(weights, dict):
            weights = weights.get("ema") or weights["model"]
        given, mine = weights.state_dict(), built.state_dict()
        loaded = {
            name: tensor
            for name, tensor in given.items()
            if name in mine
            and mine[name].shape == tensor.shape
            and torch.equal(mine[name], tensor.to(mine[name]))
        }
        return self.plan.transferred(built, given, loaded)
