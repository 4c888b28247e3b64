"""Translation, or any other sequence-to-sequence task."""

from regard.tasks.translate.metrics import text_scores
from regard.tasks.translate.predictor import Translator
from regard.tasks.translate.task import Translate, TranslateSettings

__all__ = ["Translate", "TranslateSettings", "Translator", "text_scores"]
