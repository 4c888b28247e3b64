"""Tasks by name. A task is a folder that reads, encodes, trains, evaluates and predicts.

The table holds import paths and imports nothing, so that names can be listed without PyTorch.
"""

from typing import Any

from regard._nearest import class_named

TASKS = {
    "translate": "regard.tasks.translate:Translate",
    "text_to_text": "regard.tasks.text_to_text:TextToText",
    "span_corruption": "regard.tasks.span_corruption:SpanCorruption",
    "classify": "regard.tasks.classify:Classify",
    "regress": "regard.tasks.regress:Regress",
    "multilabel": "regard.tasks.multilabel:Multilabel",
    "image_classify": "regard.tasks.image_classify:ImageClassify",
    "segment": "regard.tasks.segment:Segment",
    "caption": "regard.tasks.caption:Caption",
    "tag": "regard.tasks.tag:Tag",
    "match": "regard.tasks.match:Match",
    "similarity": "regard.tasks.similarity:Similarity",
    "answer": "regard.tasks.answer:AnswerQuestions",
    "extract": "regard.tasks.extract:Extract",
    "recommend": "regard.tasks.recommend:Recommend",
    "permutation_lm": "regard.tasks.permutation_lm:PermutationLM",
    "language_model": "regard.tasks.language_model:LanguageModel",
    "masked_lm": "regard.tasks.masked_lm:MaskedLM",
    "dates": "regard.tasks.dates:Dates",
}
"""Name → where the class is."""


def task_class(name: str) -> Any:
    """The class of a task, imported on demand; raises `ValueError` for an unknown name.

    >>> task_class("classify").metric
    'accuracy'
    """
    return class_named("task", name, TASKS)
