"""What tasks that give one label to each example have in common: weights, and a warning."""

from collections.abc import Sequence
from typing import Any

from regard.tasks.classify.class_weights import label_weights
from regard.tasks.classify.metrics import one_class_only
from regard.tasks.task import Record, Task


class LabelTask(Task):
    """The base of tasks that give one label to each example."""

    metric = "accuracy"

    def __init__(
        self, data: Any, model: Any, settings: Any = None, *, seed: int = 0, fixed: int = 4
    ) -> None:
        super().__init__(data, model, settings, seed=seed, fixed=fixed)
        train = self.data.examples.get("train")
        self.weights = None
        if train is not None:
            known = self.settings.class_weights, self.coder.labels
            self.weights = label_weights(*known, train.labels)

    @classmethod
    def metric_with(cls, settings: Any) -> str:
        """Where rare labels count more, their share of the right answers counts as any label's."""
        return cls.metric if settings.class_weights.kind == "none" else "balanced_accuracy"

    def remarks(self, split: str, records: Sequence[Record]) -> list[str]:
        """That every answer is the same label, where that is so and wrong."""
        weighted = self.settings.class_weights.kind != "none"
        said = one_class_only(records, self.coder.labels, split, weighted)
        return [] if said is None else [said]
