"""The Python API of the workbench: `train` creates a run, `Run` is one."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from regard._io.files import read_json_file
from regard._printable import shown
from regard.capturing.layers import Layers
from regard.data.encoding.trusted import require_texts
from regard.data.reading.text_encoding import AUTO
from regard.errors import UsageError
from regard.models.attention import Attends
from regard.run.asked_network import of_predictor
from regard.run.askers import asker
from regard.run.asking import asked
from regard.run.display import Screen
from regard.run.ending import read_summary
from regard.run.evaluating import Examination, examined
from regard.run.exporting import Exported, export
from regard.run.loading import load_predictor, no_run, read_model
from regard.run.predicted import Predicted, predicted
from regard.run.questions import Asker
from regard.run.saved_settings import CONFIG, settings_in
from regard.run.settings import Settings, flat
from regard.run.training import (
    Options,
    carry_out,
    of_request,
    of_task,
)
from regard.run.viewing import view_of
from regard.tasks import TASKS, task_class
from regard.tasks.exchange import TASK
from regard.tasks.predictor import Answer, Predictor
from regard.tasks.task import Task, better
from regard.training.ranks import joined
from regard.training.run_folder import METRICS, logged
from regard.training.swapped_folder import standing
from regard.view.attention_view import View
from regard.view.tiers import Storage


class Run:
    r"""A run in its folder.

    Args:
        path: the folder of a run, or of a model only.
        attend: the parts of the network, if they are your own (see `regard.load`).
        model: the network, if it is your own; the best weights are loaded into it.
        signal: the signal that ended the training early, None if none did.

    Raises `FileNotFoundError` when there is no such folder.

    >>> import tempfile, regard
    >>> from pathlib import Path
    >>> from regard.run.training import Options
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "films.csv")
    ...     _ = path.write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    ...     quiet = Options(progress=False)
    ...     _ = regard.train(
    ...         path, model="lstm", embed_dim=8, hidden_dim=8, epochs=1, out=folder + "/run",
    ...         options=quiet,
    ...     )
    ...     run = regard.Run(folder + "/run")          # also in another program, any time later
    ...     run = run.resume(epochs=2, options=quiet)
    ...     answer = run.predict(["a good film"])[0]
    ...     scores = run.evaluate(path)
    >>> answer.inputs, sorted(scores)
    (('a', 'good', 'film'), ['accuracy', 'balanced_accuracy', 'f1', 'loss'])
    """

    def __init__(
        self,
        path: str | Path,
        *,
        attend: Attends = None,
        model: nn.Module | None = None,
        signal: int | None = None,
    ) -> None:
        self.path = Path(path)
        if standing(self.path) is None:
            raise no_run(self.path)
        self.attend, self._model, self.signal = attend, model, signal

    def __repr__(self) -> str:
        said = ", ".join(f"{k} {v:.4g}" for k, v in self.metrics.get("valid", {}).items())
        return f"Run({str(self.path)!r}{': ' + said if said else ''})"

    @cached_property
    def predictor(self) -> Predictor:
        """The best network with its encoding and decoding."""
        return read_model(
            self.path, lambda folder: load_predictor(folder, self.attend, self._model)
        )

    @property
    def model(self) -> Any:
        """The best network, with the parts it was trained with."""
        return self.predictor.model

    @property
    def settings(self) -> Settings:
        """Everything that defines the run; raises `UsageError` for a folder of a model only."""
        for folder in (self.path, self.path.parent):
            if (folder / CONFIG).is_file():
                return settings_in(folder)
        raise UsageError(f"{self.path} has no {CONFIG}, so it does not say how its data is read")

    @property
    def history(self) -> list[dict[str, Any]]:
        """Every line of `metrics.jsonl`: the log of training, validation and test."""
        return logged(self.path / METRICS)

    @property
    def metrics(self) -> dict[str, dict[str, int | float]]:
        """The metrics of the best evaluation on validation data, of the test, and of training.

        Splits without metrics are omitted.
        """
        found: dict[str, dict[str, int | float]] = {}
        metric = self._metric()
        for line in self.history:
            kind = line["kind"]
            numbers = {k: v for k, v in line.items() if isinstance(v, (int, float))}
            old = found.get(kind, {}).get(metric)
            if kind != "valid" or better(metric, numbers.get(metric, float("nan")), old):
                if kind != "event":
                    found[kind] = numbers
        return found

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        """Predict an answer for each input, with the attention weights behind it.

        Inputs are what the task reads: texts, pairs of texts, lists of items; or a text that
        represents one, as on the command line.

        Raises `ValueError` for an input that cannot be read, and `TypeError` for a single text
        instead of several, and for anything that is not a text.
        """
        if isinstance(inputs, str):
            raise TypeError(f"inputs must be a list, such as [{shown(inputs, 40)}], got a text")
        parse, input_of = type(self.predictor).parse, self.predictor.input_of
        require_texts(inputs)
        typed = [input_of(each) if isinstance(each, str) else each for each in inputs]
        for number, each in enumerate(typed, 1):
            if parse is Predictor.parse and not isinstance(each, str):
                raise TypeError(f"input {number} of {len(typed)} must be a text, got {shown(each)}")
        return self.predictor.predict(typed, num_answers)

    def view(self, given: Any, *, layers: Layers = None, storage: Storage = Storage()) -> View:
        """The attention of every layer while the best network answers an input.

        It renders in a notebook, prints as a text picture, and `save("a.html")` writes a page.
        `layers` is as in `regard.capture`.

        Raises `UsageError` for an input that cannot be used, layers that do not exist, and a
        network without attention.
        """
        name = self.path.resolve().name
        return view_of(of_predictor(self.predictor, given), name, layers=layers, storage=storage)

    def asker(
        self,
        columns: Mapping[str, str] | None = None,
        *,
        encoding: str = AUTO,
        as_text: bool = False,
        compare: bool = False,
    ) -> Asker:
        """The reader of inputs from rows of files: see `predict_file` and `regard.run.askers`.

        Raises `ValueError` for a role that the task does not have, and for an unknown encoding.
        """
        # A model folder alone does not say what columns it was trained on.
        known = any((folder / CONFIG).is_file() for folder in (self.path, self.path.parent))
        given = {role: name for role, name in (columns or {}).items() if name}
        return asker(
            self.predictor,
            self.settings if known else None,
            given,
            encoding=encoding,
            as_text=as_text,
            compare=compare,
        )

    def predict_file(
        self,
        path: str | Path,
        out: str | Path | None = None,
        num_answers: int = 1,
        *,
        columns: Mapping[str, str] | None = None,
        encoding: str = AUTO,
        compare: bool = False,
        force: bool = False,
    ) -> Predicted:
        """Predict every row of a file, in order, in any format that training reads.

        The input columns are those that the run was trained on; a text file is read line by line.
        Rows that are empty or cannot be read have no answer, and shift no others.

        Args:
            out: a file to write, in the format of its extension: `.csv`, `.tsv`, `.jsonl` or
                `.parquet` with the rows and their answers, or `.txt` with the answers only. It
                appears when everything is answered; nothing is kept in memory meanwhile.
            columns: roles that differ from those in training, such as `{"text": "title,body"}`.
            compare: count the answers that match the file's own column of answers.
            force: overwrite an existing file.

        Raises `UsageError` when a file cannot be read or written.
        """
        try:
            asked = self.asker(columns, encoding=encoding, compare=compare)
            return predicted(asked, Path(path), Path(out) if out else None, num_answers, force)
        except (ValueError, OSError, ImportError) as error:
            raise UsageError(str(error)) from None

    def evaluate(
        self, data: str | Path | None = None, split: str | None = None, num_answers: int = 4
    ) -> dict[str, float]:
        """The metrics on the run's own test data, or on all of another data set.

        Args:
            data: other data, instead of the run's own.
            split: `valid` or `test`; the test split if there is one.
            num_answers: answers to search for each example.

        Raises `UsageError` when the data cannot be read or has no such split.
        """
        return self.evaluation(data, split, num_answers)[2]

    def evaluation(
        self, data: str | Path | None = None, split: str | None = None, num_answers: int = 4
    ) -> tuple[str, int, dict[str, float]]:
        """The evaluated split, its number of examples, and the metrics."""
        found = self.examination(data, split, num_answers, worst=0)
        return found.split, found.examples, found.metrics

    def examination(
        self,
        data: str | Path | None = None,
        split: str | None = None,
        num_answers: int = 4,
        worst: int = 5,
        *,
        columns: Mapping[str, str | None] | None = None,
        encoding: str = AUTO,
    ) -> Examination:
        """The metrics with details: per-class tables, the worst examples, remarks.

        Args:
            data, split, num_answers: as in `evaluate`.
            worst: number of examples with the largest losses to return.
            columns: roles that other data has under other names than in training, such as
                `{"text": "title,body"}`.
            encoding: of other data in text files.

        Raises `UsageError` when the data cannot be read, has no such split or no column to compare
        with.
        """
        self.predictor.model.eval()
        given = {role: name for role, name in (columns or {}).items() if name}
        return examined(
            self.predictor,
            self.settings,
            self.path,
            data,
            split,
            num_answers,
            worst,
            given,
            encoding,
        )

    def export(
        self, form: str = "onnx", out: str | Path | None = None, *, check: bool = True
    ) -> Exported:
        """Export the best network for other programs, and compare the outputs.

        Args:
            form: `onnx`, `torch-export` or `safetensors`.
            out: the file; in the run's folder `export` if None.
            check: run the exported program on examples of several lengths and batch sizes.

        Raises `UsageError` for a network that cannot be exported, and names the part;
        `ImportError` without the packages that a format needs.
        """
        place = None if out is None else Path(os.path.expanduser(out))
        folder = read_model(self.path, lambda each: each)
        return export(self.predictor, folder, form, place, check)

    def resume(self, **settings: Any) -> "Run":
        """Continue training, with a longer budget or options that change no update: `epochs=6`.

        Raises `UsageError` for a setting that may not change.
        """
        return train(resume=self.path, **settings)

    def _metric(self) -> str:
        """The number by which the best network was chosen."""
        name = self._task_name()
        if name not in TASKS:
            return "loss"
        found = task_class(name)
        try:
            return str(found.metric_with(self.settings.task))
        except UsageError:
            return str(found.metric)

    @property
    def summary(self) -> str:
        """The summary printed at the end of the run, one sentence per line; empty before that."""
        found = read_summary(self.path)
        return "\n".join(found.told(self.path)) if found else ""

    def _task_name(self) -> str:
        """The task's name, whether or not there is a best network yet."""
        try:
            about = read_model(self.path, lambda folder: read_json_file(folder / TASK))
            return str(about["task"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return self.settings.task_name


def train(
    data: str | Path | None = None,
    *,
    task: str | Task | None = None,
    recipe: str | None = None,
    out: str | Path | None = None,
    resume: str | Path = "auto",
    config: str | Path | None = None,
    options: Options = Options(),
    **settings: Any,
) -> Run:
    r"""Train a network on your data; the run is saved in a folder, and returned.

    Args:
        data: a file, a folder, `hf:owner/name` or `synthetic:NAME`; a recipe may bring its own.
        task: what to read the data as, if that is ambiguous; or a `Task` object, with its own data
            and a network of any kind.
        recipe: the source of settings that are not given; see `regard recipes ls`. The task's
            default recipe if None.
        out: the run's folder; `runs/NAME` after the data if None.
        resume: `auto` resumes a run with the same settings if the folder has one, `never` starts a
            new one, a folder resumes that run.
        config: a TOML file with further settings.
        options: how the run is executed.
        settings: any setting by its name, such as `model="lstm"`, `normalizer="entmax(1.3)"`,
            `epochs=3`, `dropout=0.2`, `tokens={"size": 4000}`; `attention=` and `normalizer=` take
            names, or objects of your own. `start=` is a run, or the folder of a model, whose best
            weights initialize the network, with the tokens and sizes of that network.

    Under `torchrun` the processes train together. Ctrl-C ends a run early and saves it.

    Raises `UsageError` with one sentence for an unused setting, data that cannot be read, and the
    folder of another run.

    >>> import tempfile, regard
    >>> from pathlib import Path
    >>> from regard.run.training import Options
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "films.csv")
    ...     _ = path.write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    ...     run = regard.train(
    ...         path, model="lstm", normalizer="entmax(1.3)", hidden_dim=8, steps=3,
    ...         out=folder + "/run", options=Options(progress=False),
    ...     )
    ...     model, labels = run.model, run.predictor.coder.labels
    >>> model.config.pooling.normalizer, labels
    ('entmax(1.3)', ('neg', 'pos'))
    """
    console = Screen(highlight=False, markup=False, soft_wrap=True, quiet=not options.progress)
    with joined(options.timeout) as ranks:
        if not ranks.is_main:
            console.quiet = True
        if isinstance(task, Task):
            _refuse_beside_task(data, recipe, config)
            job = of_task(task, out, str(resume), settings, ranks)
        else:
            given = {"data": None if data is None else str(data), "task": task, **settings}
            request = asked(recipe, str(resume), Path(config) if config else None, given)
            job = of_request(request, out, str(resume), ranks, options.data_as_trained)
        signal, model = carry_out(job, options, ranks, console)
    # What a file cannot say is kept: a network or a part of the user's own.
    own = isinstance(task, Task) or any(k.endswith(".own") for k in flat(job.settings.entries()))
    return Run(job.folder, model=model if own and not options.shard else None, signal=signal)


def _refuse_beside_task(*given: Any) -> None:
    if any(each is not None for each in given):
        raise UsageError("a Task object has its data and settings: leave data, recipe, config out")
