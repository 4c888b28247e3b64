"""Questions about stories: an answer to each, and the sentences that support it."""

from regard.tasks.answer.predictor import Answerer
from regard.tasks.answer.task import AnswerQuestions, AnswerSettings

__all__ = ["AnswerQuestions", "AnswerSettings", "Answerer"]
