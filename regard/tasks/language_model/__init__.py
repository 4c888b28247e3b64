"""Language modeling."""

from regard.tasks.language_model.predictor import TextGenerator
from regard.tasks.language_model.task import LanguageModel, LanguageModelSettings

__all__ = ["LanguageModel", "LanguageModelSettings", "TextGenerator"]
