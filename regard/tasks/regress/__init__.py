"""Text regression."""

from regard.tasks.regress.predictor import Regressor
from regard.tasks.regress.task import Regress, RegressSettings

__all__ = ["Regress", "RegressSettings", "Regressor"]
