"""Text-to-text, with an optional task prefix."""

from regard.tasks.text_to_text.metrics import rouge
from regard.tasks.text_to_text.predictor import TextWriter
from regard.tasks.text_to_text.task import TextToText, TextToTextSettings

__all__ = ["TextToText", "TextToTextSettings", "TextWriter", "rouge"]
