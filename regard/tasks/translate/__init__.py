"""Translation, or any other text to text."""

from regard.tasks.translate.metrics import text_scores
from regard.tasks.translate.predictor import Translator
from regard.tasks.translate.task import Translate, TranslateSettings

__all__ = ["Translate", "TranslateSettings", "Translator", "text_scores"]
