"""Blocks in a detector that a trainer builds anew: nothing of the pretrained weights is lost."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

import regard
from regard.vision import Plan
from regard.vision.ultralytics import TrainsWithBlocks
from tests.vision.detector import ROWS, Detector, Trainer, loaded
from tests.vision.networks import image, settled

SE = "se(reduction=4)"


@pytest.fixture
def pretrained() -> Detector:
    torch.manual_seed(0)
    return settled(Detector(ROWS, classes=3))


def trainer(plan: Plan | None, classes: int, folder: Path, **said: Any) -> Any:
    class WithBlocks(TrainsWithBlocks, Trainer):
        pass

    WithBlocks.plan = plan
    folder.mkdir(exist_ok=True)
    return WithBlocks(classes, folder, **said)


def test_the_stages_are_the_layers_that_its_users_name(pretrained: Detector) -> None:
    before = {name: vars(module).copy() for name, module in pretrained.named_modules()}
    plan = regard.insert(pretrained, SE, after="stage", dry_run=True)
    assert [p.module for p in plan.places] == [f"model.{n}" for n in (0, 2, 4, 7, 10)]
    assert {name: vars(module) for name, module in pretrained.named_modules()} == before
    assert [p.module for p in regard.insert(pretrained, SE, before="sum", dry_run=True).places] == [
        f"model.{n}.m.0.cv2" for n in (2, 4, 7, 10)
    ]
    assert [
        p.module for p in regard.insert(pretrained, SE, after="Stack", dry_run=True).places
    ] == [f"model.{n}" for n in (2, 4, 7, 10)]


def test_attributes_numbers_and_outputs_stay(pretrained: Detector) -> None:
    x, was = image(32), pretrained(image(32))
    layers = [(m.i, m.f, m.type, m.np) for m in pretrained.model]
    plan = regard.insert(pretrained, SE, after="stage", identity_start=True)
    assert [(m.i, m.f, m.type, m.np) for m in pretrained.model] == layers
    assert torch.equal(pretrained(x), was)
    fused = copy.deepcopy(pretrained)
    for place in plan.places:
        fused.get_submodule(place.key).gamma.data.fill_(0.7)
    with_blocks = fused(x)
    assert not torch.allclose(with_blocks, was)
    torch.testing.assert_close(fused.fuse()(x), with_blocks)


@pytest.mark.parametrize("place", ["model.3.conv", "model.3.bn"])
def test_fusing_around_a_block_is_an_error(place: str, pretrained: Detector) -> None:
    regard.insert(pretrained, SE, after=place)
    pretrained(image(32))
    pretrained.fuse()
    with pytest.raises(RuntimeError, match=r"regard\.remove\(model\) before"):
        pretrained(image(32))


def test_the_shared_activation_is_no_place(pretrained: Detector) -> None:
    with pytest.raises(ValueError, match=r"model.0.act is called \d+ times with 8 and 16 and 32"):
        regard.insert(pretrained, SE, after="model.0.act")


def test_rebuilding_loads_every_old_weight_trains_saves_resumes_and_fuses(
    pretrained: Detector, tmp_path: Path
) -> None:
    total, x = len(pretrained.state_dict()), image(32)
    plan = regard.insert(pretrained, SE, after="stage", identity_start=True, dry_run=True)
    plan.save(tmp_path / "blocks.json")
    first = trainer(Plan.load(tmp_path / "blocks.json"), 3, tmp_path / "first")
    assert torch.equal(first.get_model(pretrained.yaml, pretrained).eval()(x), pretrained(x))
    trained = first.train(pretrained)
    assert str(first.transferred).startswith(f"transferred {total} of {total} tensors; ")
    assert len(first.transferred.new) == 5 * 5 and not first.transferred.missing
    gammas = [trained.get_submodule(place.key).gamma for place in plan.places]
    assert all(gamma != 0 for gamma in gammas)

    best = loaded(tmp_path / "first" / "last.pt")
    assert Plan.of(best) == plan and not torch.equal(best(x), pretrained(x))
    second = trainer(plan, 3, tmp_path / "more")
    again = second.get_model(best.yaml, best).eval()
    whole = total + 25
    assert str(second.transferred) == f"transferred {whole} of {whole} tensors"
    assert torch.equal(again(x), best(x))
    wanted = best(x)
    torch.testing.assert_close(best.fuse()(x), wanted)


def test_another_number_of_classes_loses_the_last_layers_alone(
    pretrained: Detector, tmp_path: Path
) -> None:
    plan = regard.insert(pretrained, SE, after="model.4", dry_run=True)
    other = trainer(plan, 7, tmp_path / "last")
    other.get_model(pretrained.yaml, pretrained)
    total = len(pretrained.state_dict())
    assert str(other.transferred).startswith(f"transferred {total - 4} of {total} tensors; ")
    assert all(name.startswith("model.11.cv3.") for name in other.transferred.lost)
    blank = trainer(plan, 3, tmp_path / "last")
    assert "se" in dict(blank.get_model(pretrained.yaml).model[4].named_children())
    assert blank.transferred is None


class Scaled(nn.Module):
    """A user's own block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@pytest.mark.parametrize("amp", [False, True], ids=["float32", "autocast"])
def test_training_is_resumed_over_epochs_and_the_best_one_is_evaluated_fused(
    amp: bool, pretrained: Detector, tmp_path: Path
) -> None:
    plan = regard.insert(
        pretrained, "cbam(reduction=4)", after="stage", identity_start=True, dry_run=True
    )
    first = trainer(plan, 3, tmp_path / "run", amp=amp)
    first.train(pretrained, epochs=2)
    total = len(first.average.ema.state_dict())
    last = tmp_path / "run" / "last.pt"
    was = torch.load(last, weights_only=False)["optimizer"]["state"]
    # The plan is read from the weights where the trainer has none.
    second = trainer(None, 3, tmp_path / "run", amp=amp)
    second.train(pretrained, epochs=4, resume=last)
    assert str(second.transferred) == f"transferred {total} of {total} tensors"
    now = torch.load(last, weights_only=False)
    assert now["epoch"] == 3 and Plan.of(now["ema"]) == plan
    assert len(now["optimizer"]["state"]) == len(was) > 0
    best = loaded(tmp_path / "run" / "best.pt")
    assert Plan.of(best) == plan
    assert abs(second.validate(best) - second.final) < 1e-4 * (1 + abs(second.final))
    for place in plan.places:
        assert first.average.ema.get_submodule(place.key).gamma != 0
        assert all(p.isfinite().all() for p in best.get_submodule(place.key).parameters())


def test_resuming_from_an_average_goes_on_as_from_the_trainer_itself(
    pretrained: Detector, tmp_path: Path
) -> None:
    plan = regard.insert(pretrained, SE, after="stage", identity_start=True, dry_run=True)
    trainer(plan, 3, tmp_path / "run").train(pretrained, epochs=1)
    last = tmp_path / "run" / "last.pt"
    resumed = [trainer(each, 3, tmp_path / str(n)) for n, each in enumerate((plan, None))]
    one, other = (each.train(pretrained, epochs=2, resume=last) for each in resumed)
    assert list(one.state_dict()) == list(other.state_dict())
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_it_trains_on_several_devices_as_on_one(pretrained: Detector, tmp_path: Path) -> None:
    plan = regard.insert(pretrained, SE, after="stage", identity_start=True, dry_run=True)
    torch.manual_seed(0)
    alone = trainer(plan, 3, tmp_path / "alone").train(pretrained, epochs=2)
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        parallel = trainer(plan, 3, tmp_path / "parallel").train(pretrained, epochs=2)
    finally:
        dist.destroy_process_group()
    for (name, one), two in zip(alone.named_parameters(), parallel.parameters(), strict=True):
        torch.testing.assert_close(one, two, msg=name)


def test_a_block_of_ones_own_is_made_by_the_trainer(pretrained: Detector, tmp_path: Path) -> None:
    plan = regard.insert(pretrained, Scaled, after="model.4", dry_run=True)
    own = trainer(plan, 3, tmp_path / "run")
    with pytest.raises(ValueError, match="there is no block 'Scaled'.*blocks="):
        own.get_model(pretrained.yaml, pretrained)
    type(own).blocks = {"Scaled": Scaled}
    assert isinstance(own.train(pretrained).model[4].Scaled, Scaled)
    assert Plan.of(loaded(tmp_path / "run" / "best.pt")) == plan


def test_weights_whose_blocks_are_not_in_the_plan_are_told_and_no_plan_at_all_is_an_error(
    pretrained: Detector, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"WithBlocks has no plan, and the weights no blocks: set"):
        trainer(None, 3, tmp_path / "run").get_model(pretrained.yaml, pretrained)
    plan = regard.insert(pretrained, SE, after="model.4", dry_run=True)
    regard.insert(pretrained, "eca", after="model.2")
    other = trainer(plan, 3, tmp_path / "run")
    with pytest.warns(UserWarning, match="blocks that are not in the plan, and are lost: model.2"):
        other.get_model(pretrained.yaml, pretrained)
    assert [name for name in other.transferred.lost] == ["model.2.eca.convolution.weight"]


@pytest.mark.filterwarnings("ignore")
def test_the_package_itself_where_it_is_installed() -> None:
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    detect = pytest.importorskip("ultralytics.models.yolo.detect")
    model = settled(tasks.DetectionModel("yolo11n.yaml", nc=80, verbose=False))
    x, total = image(128), len(model.state_dict())
    was = model(x)[0]
    plan = regard.insert(model, "se", after="stage", identity_start=True, dry_run=True)
    assert [p.module for p in plan.places] == [
        f"model.{n}" for n in (0, 2, 4, 6, 10, 13, 16, 19, 22)
    ]

    class WithBlocks(TrainsWithBlocks, detect.DetectionTrainer):
        def __init__(self) -> None:
            names = {number: str(number) for number in range(80)}
            self.data, self.args = {"nc": 80, "channels": 3, "names": names}, SimpleNamespace()

    WithBlocks.plan = plan
    trainer = WithBlocks()
    built = trainer.get_model("yolo11n.yaml", model, verbose=False).eval()
    assert str(trainer.transferred).startswith(f"transferred {total} of {total} tensors; 45 of ")
    assert torch.equal(built(x)[0], was)
    torch.testing.assert_close(built.fuse(verbose=False)(x)[0], was, rtol=1e-3, atol=1e-3)
