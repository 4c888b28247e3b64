"""Epochs at the beginning in which a network is trained in an easier way."""

from regard.tasks.task import Task


def examples_of(task: Task, setting: str, starts: type, lacks: str) -> int:
    """How many training examples the epochs of a setting have; 0 where nothing is trained.

    Args:
        starts: the protocol of networks that have such a start.
        lacks: what another network does not have.

    Raises `ValueError` for such epochs of another network.
    """
    epochs = getattr(task.settings, setting)
    if epochs and not isinstance(task.model, starts):
        raise ValueError(
            f"{setting} is {epochs:g}, but {type(task.model).__name__} has no {lacks}; leave "
            f"{setting} out"
        )
    return round(epochs * task.size("train")) if "train" in task.data.examples else 0
