"""Question answering about stories, with supporting sentences."""

from regard.tasks.answer.predictor import Answerer
from regard.tasks.answer.task import AnswerQuestions, AnswerSettings

__all__ = ["AnswerQuestions", "AnswerSettings", "Answerer"]
