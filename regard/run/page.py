"""What a run displays during training: predictions, confusion matrices, and its page."""

from pathlib import Path

from regard._io.faults import writing
from regard._io.files import write_whole
from regard.tasks.task import Task, as_sample
from regard.training.hooks import Evaluation
from regard.training.run_folder import SAMPLES, Journal
from regard.view.report import read_run, report

PAGE = "report.html"


class RunPage:
    """Writes `samples.jsonl`, `confusion.json` and `report.html` after every evaluation.

    Args:
        task: its predictor answers the fixed examples.
        folder: of the run.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder, self.journal = task, folder, Journal(folder)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Answer the fixed examples, after a validation, and redraw the page.

        If the task has labels, the confusion matrix is written, too.
        """
        if evaluation.split == "valid" and evaluation.can_predict:
            self._write_samples(evaluation)
        confusion = self.task.confusion(evaluation.records)
        if confusion is not None:
            self.journal.confusion(evaluation.split, evaluation.step, *confusion)
        self.draw()

    def draw(self) -> None:
        """Draw the current page of the run."""
        with writing(self.folder / PAGE) as path:
            write_whole(path, report(read_run(self.folder)).encode())

    def _write_samples(self, evaluation: Evaluation) -> None:
        """Write down the answers to the fixed examples, and where the model looked."""
        texts = [text for text, _ in self.task.fixed]
        answers = self.task.predictor.predict(texts) if texts else []
        pairs = zip(answers, self.task.fixed, strict=True)
        # The examples stay the same, and so do their images.
        first = not (self.folder / SAMPLES).exists()
        samples = [as_sample(answer, wanted, first) for answer, (_, wanted) in pairs]
        self.journal.samples(evaluation.step, evaluation.epoch, samples)
