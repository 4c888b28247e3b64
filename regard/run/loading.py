"""Loading trained networks and predictors from the folders of runs."""

from collections.abc import Callable
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from regard._io.files import read_json_file
from regard._io.hub import NAME, PREFIX, local
from regard._printable import shortened, shown
from regard.models.attention import Attends
from regard.models.gguf import is_gguf, load_gguf
from regard.models.published import CONFIG, is_published, read_entries
from regard.models.stored_tensors import WEIGHTS, instead
from regard.run.bare_folder import published_predictor
from regard.tasks import task_class
from regard.tasks.exchange import TASK, load_model, read_about
from regard.tasks.predictor import Predictor
from regard.training.run_folder import BEST, RUNS
from regard.training.swapped_folder import holds, read_folder, standing

Found = TypeVar("Found")
NAMED, MOST_LISTED = 3, 1000
"""Runs that a message names, and entries of a folder that are looked through for them."""


def read_model(path: Path, read: Callable[[Path], Found]) -> Found:
    """The result of `read` on a run's best network: on `best/`, or on the folder itself.

    A training run may replace it meanwhile: either the old or the new one is read, never a mix,
    and nothing is written.

    Raises `FileNotFoundError` when there is none.
    """
    if standing(path) is None:
        raise no_run(path)
    if holds(path, "config.json", TASK):
        return read_folder(path, read)
    if standing(path / BEST) is None:
        if (path / WEIGHTS).exists():
            raise FileNotFoundError(
                f"{path} has no trained model: {WEIGHTS} is there, and no {CONFIG}, which says "
                "what network it is of; copy it from where the weights come from"
            )
        if weights := instead(path):
            raise FileNotFoundError(f"there is no {CONFIG} in {path}{weights}")
        inside = [str(path / name) for name in _loadable_in(path)[:NAMED]]
        hint = f"; there is one in {', '.join(inside)}" if inside else ""
        raise FileNotFoundError(f"{path} has no trained model: there is no {BEST}/ in it yet{hint}")
    return read_folder(path / BEST, read)


def no_run(path: Path) -> FileNotFoundError:
    """The error for a run that does not exist, with the names of those next to it that are near."""
    if path.is_file():
        return FileNotFoundError(f"{path} is a file; give the folder that it is in, {path.parent}")
    near = get_close_matches(path.name, _trained_in(path.parent), NAMED)
    meant = " or ".join(str(path.with_name(name)) for name in near)
    hint = f"did you mean {meant}?" if near else "train one first (regard train)"
    owned = len(path.parts) == 2 and path.parts[0] != RUNS and not path.parent.is_dir()
    if owned and NAME.fullmatch(path.as_posix()):
        hint += f", or write {PREFIX}{path.as_posix()} for the one of the Hub"
    return FileNotFoundError(f"there is no folder {path}; {hint}")


def _trained_in(folder: Path) -> list[str]:
    """The names of the runs in a folder that have a trained model; none if it cannot be read."""
    try:
        names = sorted(each.name for each in islice(folder.iterdir(), MOST_LISTED))
        return [name for name in names if standing(folder / name / BEST) is not None]
    except OSError:
        return []


def _loadable_in(folder: Path) -> list[str]:
    """The names of the runs in a folder, or else of the published networks in it."""
    try:
        names = sorted(each.name for each in islice(folder.iterdir(), MOST_LISTED))
        return _trained_in(folder) or [n for n in names if (folder / n / CONFIG).is_file()]
    except OSError:
        return []


def load_predictor(
    folder: Path, attend: Attends = None, model: nn.Module | None = None
) -> Predictor:
    """The predictor in a model folder.

    A Hugging Face folder with a classification head works as is (see `published_predictor`).

    Raises `FileNotFoundError` when a file is missing, `ValueError` (including
    `CheckpointMismatch`) when one is damaged or they do not belong to the same network.
    """
    if model is None and is_bare(folder):
        return published_predictor(folder, attend)
    about = read_about(folder)
    try:
        kind = task_class(about["task"]).predictor_type
    except ValueError:
        raise ValueError(
            f"{folder} was trained for {shown(about['task'])}, which this version does not know"
        ) from None
    if model is None:
        _require_network_of_ours(folder)
    try:
        return kind.load(folder, about, attend, model)
    except KeyError as error:
        raise ValueError(
            f"{folder / TASK} lacks {error}; copy the whole run folder again"
        ) from None


def is_bare(folder: Path) -> bool:
    """Whether this is a Hugging Face folder, which does not name a task."""
    bare = not (folder / TASK).exists() and (folder / CONFIG).exists()
    return bare and is_published(read_entries(folder))


def _require_network_of_ours(folder: Path) -> None:
    """Raise `ValueError` for the folder of a network of the user's own, which has to be given."""
    entries = read_json_file(folder / "config.json")
    if isinstance(entries, dict) and entries.get("model_type") is None and "class" in entries:
        raise ValueError(
            f"{folder} has the weights of a network of your own, "
            f"{shortened(str(entries['class']))}: give it again, as model=..."
        )


def load(path: str | Path, attend: Attends = None, model: nn.Module | None = None) -> Any:
    """Load the trained network of a run, of a model folder, or of a GGUF file, in eval mode.

    Its parts are those that it was trained with. A folder may be in this library's format or in
    that of Hugging Face (`config.json`, `model.safetensors` or its shards); only `hf:owner/name`
    is ever downloaded, from the Hub.

    Args:
        attend: the parts, if they are your own and have no name.
        model: the network, if it is your own; the weights are loaded into it.

    Raises `FileNotFoundError` when there is none, `CheckpointMismatch` when the weights do not
    match the configuration, `ValueError` when a file is damaged or a part has to be given.

    >>> import tempfile, regard
    >>> from regard.models.lstm import LSTMClassifier, LSTMConfig
    >>> from regard.models.pooling import AttentionPooling
    >>> pooling = AttentionPooling(normalizer="entmax(1.3)")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     regard.save(LSTMClassifier(LSTMConfig(vocab=9, classes=2, pooling=pooling)), folder)
    ...     model = regard.load(folder)      # or of a run: regard.load("runs/reviews-lstm")
    >>> model.config.pooling.normalizer, model.training
    ('entmax(1.3)', False)
    """
    if is_gguf(Path(path)) and model is None:
        return load_gguf(Path(path), attend)

    def read(folder: Path) -> Any:
        if (folder / TASK).exists():
            return load_predictor(folder, attend, model).model
        return load_model(folder, attend, model)

    return read_model(local(path), read)
