"""What every task owes, for all rows of `tests/tables/tasks.py`; a new task adds one."""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import regard
from regard._io.manifest import write_manifest
from regard.config import fields_of
from regard.data.feeding.streamed import Streamed
from regard.models import checkpoint, model_class
from regard.run.loading import load_predictor
from regard.run.recipes import names, recipe
from regard.sequences import Packed, Sequences
from regard.tasks import TASKS, task_class
from regard.tasks.exchange import read_about
from regard.tasks.predictor import Predictor
from regard.tasks.task import Part, Task
from tests.tables.tasks import ROWS, TaskRow

every = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
reading = pytest.mark.parametrize(
    "row", [pytest.param(row, id=name) for name, row in ROWS.items() if row.file]
)
streaming = pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=name)
        for name, row in ROWS.items()
        if row.file and task_class(name).schema.streams
    ],
)


@cache
def known(name: str) -> Any:
    """The task of a row, its network in float64; nobody trains it."""
    task = ROWS[name].made(Path(mkdtemp(prefix="regard-tests-")))
    task.model.double().eval()
    return task


@cache
def kept(name: str) -> Path:
    """A folder with its predictor."""
    folder = Path(mkdtemp(prefix="regard-tests-"))
    predictor(name).save(folder)
    return folder


@cache
def predictor(name: str) -> Any:
    task = ROWS[name].made(Path(mkdtemp(prefix="regard-tests-")))
    task.model.eval()
    return task.predictor


def tensors_of(batch: Any) -> list[Tensor]:
    """Every tensor that a batch holds, those of its sequences too."""
    found = []
    for value in vars(batch).values():
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (Sequences, Packed)):
            found += [each for each in (value.ids, value.lengths) if each is not None]
    return found


def same_records(found: Any, wanted: Any) -> bool:
    """Equal but for the last digits of a number."""
    if isinstance(wanted, float):
        return bool(found == pytest.approx(wanted, rel=1e-6, abs=1e-9))
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(
            same_records(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same_records, found, wanted))
    return bool(found == wanted)


def same_answers(one: Any, other: Any) -> bool:
    same = (one.answers, one.inputs, one.outputs) == (other.answers, other.inputs, other.outputs)
    if one.weights is None or other.weights is None:
        return same and one.weights is other.weights
    return same and torch.equal(one.weights, other.weights)


def test_the_table_names_every_task() -> None:
    assert set(ROWS) == set(TASKS)
    assert all(task_class(name).name == name for name in TASKS)


@every
def test_it_is_a_task_that_leaves_a_predictor_and_shows_some_examples(row: TaskRow) -> None:
    task = known(row.name)
    assert isinstance(task, Task) and isinstance(task.predictor, Predictor)
    assert type(task.predictor).task == row.name and task.predictor.model is task.model
    inputs = [each for each, _ in task.fixed]
    assert 0 < len(inputs) <= 4
    assert len(task.predictor.predict(inputs[:2])) == len(inputs[:2])
    assert not row.made(Path(mkdtemp(prefix="regard-tests-")), fixed=0).fixed


@every
def test_every_example_is_planned_once_an_epoch_in_an_order_of_the_seed(row: TaskRow) -> None:
    task = known(row.name)
    part = task.part(0)
    plans = [task.plan(part.lengths, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert len(plans[0]) > 2
    for plan in plans:
        assert sorted(np.concatenate(plan).tolist()) == list(range(len(part.lengths)))
    same = [len(plans[0]) == len(p) and all(map(np.array_equal, plans[0], p)) for p in plans[1:]]
    assert same == [True, False]


@every
def test_an_epoch_is_the_same_at_every_call(row: TaskRow) -> None:
    task, some = known(row.name), np.array([3, 0, 5])
    one, other = task.part(1).batch(some), task.part(1).batch(some)
    assert all(map(torch.equal, tensors_of(one), tensors_of(other)))


@every
def test_a_batch_moves_whole_and_counts_its_targets_and_tokens(row: TaskRow) -> None:
    part = known(row.name).part(0)
    rows = np.arange(6)
    batch = part.batch(rows)
    moved = batch.to(torch.device("meta"))
    assert type(moved) is type(batch)
    assert tensors_of(batch) and all(each.is_meta for each in tensors_of(moved))
    assert not any(each.is_meta for each in tensors_of(batch))
    single = [part.batch(rows[n : n + 1]) for n in range(len(rows))]
    for count in ("num_targets", "num_tokens"):
        assert getattr(batch, count) == sum(getattr(each, count) for each in single)
    assert 0 < batch.num_tokens <= batch.num_padded_tokens


@every
def test_the_loss_is_a_sum_over_examples(row: TaskRow) -> None:
    task, rows = known(row.name), np.arange(6)
    part = task.part(0)
    loss = task.loss(part.batch(rows))
    alone = sum(task.loss(part.batch(rows[n : n + 1])) for n in range(len(rows)))
    torch.testing.assert_close(loss, alone, rtol=1e-6, atol=1e-6)
    assert loss.shape == () and loss.item() > 0


@every
def test_records_come_in_the_order_asked_whatever_the_portions(
    row: TaskRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = known(row.name)
    size = min(7, task.size("valid"))
    each = [task.examine("valid", np.array([n]))[0] for n in range(size)]
    some = np.array([2, 0, size - 1, 2, 1])
    for portion in (1, 2, 99):
        monkeypatch.setattr(type(task), "at_once", portion)
        found = task.examine("valid", some)
        assert all(map(same_records, found, [each[n] for n in some]))
    assert len({json.dumps(record) for record in each}) > 1, "all records are the same"
    assert task.examine("valid", some[:0]) == []


@every
def test_the_scores_of_all_records_are_finite_and_have_the_metric(row: TaskRow) -> None:
    task = known(row.name)
    for split in ("valid", "test"):
        if task.size(split):
            records = task.examine(split, np.arange(task.size(split)), 2)
            assert all(json.loads(json.dumps(record)) == record for record in records)
            scores = task.score(split, records)
            assert task.metric in scores and all(map(np.isfinite, scores.values()))
    assert task.size("valid") > 2 and task.size("nowhere") == 0


@every
def test_two_steps_by_hand_move_weights_and_leave_them_finite(row: TaskRow) -> None:
    task = row.made(Path(mkdtemp(prefix="regard-tests-")))
    task.model.train()
    before = {name: weight.clone() for name, weight in task.model.named_parameters()}
    optimizer = torch.optim.SGD(task.model.parameters(), lr=0.1)
    part, losses = task.part(0), []
    for rows in task.plan(part.lengths, np.random.default_rng(0))[:2]:
        batch = part.batch(rows)
        optimizer.zero_grad()
        loss = task.loss(batch) / batch.num_targets
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    after = dict(task.model.named_parameters())
    assert all(weight.isfinite().all() for weight in after.values())
    moved = [name for name, weight in after.items() if not torch.equal(weight, before[name])]
    assert len(moved) > len(after) // 2


@every
def test_a_text_on_a_command_line_is_an_input(row: TaskRow) -> None:
    asks = predictor(row.name)
    one, several = (asks.predict([asks.parse(row.asked)], n)[0] for n in (1, 2))
    assert one.answers and all(np.isfinite(score) for _, score in one.answers)
    assert len(several.answers) >= row.answers
    assert all(np.isfinite(score) for _, score in several.answers)
    assert all(isinstance(text, str) for text, _ in several.answers)
    if one.weights is not None:
        assert one.weights.shape == (len(one.outputs), len(one.inputs))
    assert repr(one) and one._repr_html_()


@every
def test_a_saved_predictor_answers_as_before_and_its_network_is_the_loaders(row: TaskRow) -> None:
    folder, before = kept(row.name), predictor(row.name)
    about = read_about(folder)
    assert about["task"] == row.name
    again = type(before).load(folder, about)
    inputs = [again.parse(row.asked), *(each for each, _ in known(row.name).fixed[:2])]
    answers = (asks.predict(inputs, 2) for asks in (before, again, load_predictor(folder)))
    for one, other, third in zip(*answers, strict=True):
        assert same_answers(one, other) and same_answers(one, third)
    network = regard.load(folder)
    assert network.config == again.model.config == before.model.config
    assert repr(network) == repr(before.model)
    state = network.state_dict()
    assert all(torch.equal(tensor, state[k]) for k, tensor in before.model.state_dict().items())


@reading
def test_the_task_of_a_loaded_predictor_records_the_same(row: TaskRow, tmp_path: Path) -> None:
    task = row.made(tmp_path)
    task.model.eval()
    again = task_class(row.name).of(
        load_predictor(kept(row.name)), task.data.texts, tmp_path / "again", row.made_settings()
    )
    rows = np.arange(min(5, task.size("valid")))
    found, wanted = (each.examine("valid", rows) for each in (again, task))
    assert all(map(same_records, found, wanted))


@reading
def test_what_was_prepared_is_opened_again(row: TaskRow, tmp_path: Path) -> None:
    kind, settings = task_class(row.name), row.made_settings()
    corpus = row.corpus(tmp_path)
    (tmp_path / "encoded").mkdir()
    prepared = kind.prepare(corpus, settings, tmp_path / "encoded")
    opened = kind.opened(corpus, settings, tmp_path / "encoded")
    assert opened.coder.sizes == prepared.coder.sizes
    assert opened.coder.entries() == prepared.coder.entries()
    assert opened.examples.keys() == prepared.examples.keys()
    for split, examples in prepared.examples.items():
        rows = np.arange(min(4, len(examples)))
        one = prepared.coder.collate(examples, rows)
        other = opened.coder.collate(opened.examples[split], rows)
        assert len(opened.examples[split]) == len(examples)
        assert all(map(torch.equal, tensors_of(one), tensors_of(other)))


@streaming
def test_rows_of_a_stream_are_those_of_the_data(row: TaskRow) -> None:
    task = row.made(Path(mkdtemp(prefix="regard-tests-")))
    task.model.eval()
    texts = task.data.texts["train"].to_iterable_dataset()
    task.stream = Streamed(texts, 20, task.stream_part)
    part, rows = task.part(0), np.arange(3)
    plan = task.plan(part.lengths, np.random.default_rng(0))
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(part.lengths)))
    streamed, stored = part.batch(rows), Part(task.coder, task.data.examples["train"]).batch(rows)
    assert all(map(torch.equal, tensors_of(streamed), tensors_of(stored)))
    assert task.loss(streamed).isfinite()


@reading
def test_data_that_does_not_stream_says_so(row: TaskRow) -> None:
    assert task_class(row.name).schema.streams == (row.name not in {"answer", "recommend"})


def recorded(settings: Any) -> tuple[Any, set[str]]:
    """The same settings, and the names of those that are read from now on."""
    read: set[str] = set()

    class Recorded(type(settings)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    same = object.__new__(Recorded)
    same.__dict__.update(vars(settings))
    return same, read


@every
def test_every_setting_of_a_task_is_read(row: TaskRow, tmp_path: Path) -> None:
    settings, read = recorded(row.made_settings())
    task = row.made(tmp_path, settings)
    part = task.part(0)
    plan = task.plan(part.lengths, np.random.default_rng(0))
    task.loss(part.batch(plan[0]))
    records = task.examine("valid", np.arange(task.size("valid")))
    task.score("valid", records)
    task.predictor.predict([task.predictor.parse(row.asked)])
    assert set(fields_of(task.settings_type)) - read == set()


@pytest.mark.parametrize("name", names())
def test_a_task_gives_its_networks_every_size_that_the_data_decides(name: str) -> None:
    table = recipe(name)
    task, network = table["task"]["name"], table["model"]["name"]
    sizes = set(known(task).coder.sizes)
    assert set(model_class(network).config_type.from_data) <= sizes


def copied(name: str, folder: Path) -> Path:
    shutil.copytree(kept(name), folder)
    return folder


def files_of(name: str) -> list[str]:
    return sorted(path.name for path in kept(name).iterdir() if path.name != "manifest.json")


@every
def test_a_file_that_is_missing_or_changed_is_named(row: TaskRow, tmp_path: Path) -> None:
    for number, name in enumerate(files_of(row.name)):
        missing = copied(row.name, tmp_path / f"missing{number}")
        (missing / name).unlink()
        with pytest.raises((FileNotFoundError, ValueError), match=name):
            load_predictor(missing)
        changed = copied(row.name, tmp_path / f"changed{number}")
        content = bytearray((changed / name).read_bytes())
        content[len(content) // 2] ^= 1
        (changed / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_predictor(changed)


@every
def test_a_network_of_other_data_is_refused(row: TaskRow, tmp_path: Path) -> None:
    folder = copied(row.name, tmp_path / "swapped")
    sizes = predictor(row.name).coder.sizes
    first = predictor(row.name).model.config_type.from_data[0]
    other = row.made_network(**{**sizes, first: sizes[first] + 1})
    checkpoint.save(other, folder)
    write_manifest(folder, files_of(row.name))
    why = f"is inconsistent: its network has {first} {sizes[first] + 1}, its files say"
    with pytest.raises(ValueError, match=f"{folder} {why}"):
        load_predictor(folder)


@every
def test_a_folder_without_what_its_task_needs_or_of_no_task_is_refused(
    row: TaskRow, tmp_path: Path
) -> None:
    about = json.loads((kept(row.name) / "task.json").read_text())
    for number, (changed, why) in enumerate(
        ((about | {"task": "translte"}, "was trained for 'translte'"), ({}, "does not name a task"))
    ):
        folder = copied(row.name, tmp_path / str(number))
        (folder / "task.json").write_text(json.dumps(changed))
        write_manifest(folder, files_of(row.name))
        with pytest.raises(ValueError, match=why):
            load_predictor(folder)
