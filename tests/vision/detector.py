"""A detector in the way of Ultralytics: described by rows, built anew for training, fused at last.

What matters is imitated: one activation that all share, layers with `i`, `f`, `type` and `np`, a
head that keeps what it saw, `load` by names and shapes with `strict=False`, `fuse`, and an average
of the weights that is deep-copied and saved in half precision.
"""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

ROWS = [
    (-1, "Conv", [8, 2]),
    (-1, "Conv", [16, 2]),
    (-1, "Stack", [16]),
    (-1, "Conv", [32, 2]),
    (-1, "Stack", [32]),
    (-1, "Up", []),
    ([-1, 2], "Concat", []),
    (-1, "Stack", [16]),
    (-1, "Conv", [16, 2]),
    ([-1, 4], "Concat", []),
    (-1, "Stack", [32]),
    ([7, 10], "Detect", []),
]


class Conv(nn.Module):
    default_act = nn.SiLU(inplace=True)

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn, self.act = nn.BatchNorm2d(outputs), self.default_act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))

    def forward_fuse(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))


class Neck(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width), Conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x))


class Stack(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(inputs, outputs, 1), Conv(outputs + outputs // 2, outputs, 1)
        self.m = nn.ModuleList([Neck(outputs // 2)])

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.cv1(x).chunk(2, 1))
        parts.extend(m(parts[-1]) for m in self.m)
        return self.cv2(torch.cat(parts, 1))


class Concat(nn.Module):
    def forward(self, x: list[Tensor]) -> Tensor:
        return torch.cat(x, 1)


class Detect(nn.Module):
    def __init__(self, classes: int, widths: list[int]) -> None:
        super().__init__()
        self.cv2 = nn.ModuleList(nn.Sequential(Conv(w, 8), nn.Conv2d(8, 4, 1)) for w in widths)
        self.cv3 = nn.ModuleList(
            nn.Sequential(Conv(w, 8), nn.Conv2d(8, classes, 1)) for w in widths
        )
        self.shape: Any = None
        self.anchors = torch.empty(0)

    def forward(self, x: list[Tensor]) -> Any:
        maps = [
            torch.cat((box(each), kind(each)), 1)
            for box, kind, each in zip(self.cv2, self.cv3, x, strict=True)
        ]
        if self.training:
            return maps
        self.shape = x[0].shape
        self.anchors = torch.cat([each.flatten(2).mean(1) for each in maps], 1).detach()
        return torch.cat([each.flatten(2) for each in maps], 2)


class Detector(nn.Module):
    def __init__(self, rows: list[Any], classes: int) -> None:
        super().__init__()
        self.yaml, self.nc = {"rows": rows}, classes
        widths, layers, kept = [3], [], set()
        for number, (source, kind, said) in enumerate(rows):
            sources = source if isinstance(source, list) else [source]
            inputs = [widths[each + 1 if each >= 0 else each] for each in sources]
            if kind == "Conv":
                layer, width = Conv(inputs[0], said[0], 3, said[1]), said[0]
            elif kind == "Stack":
                layer, width = Stack(inputs[0], said[0]), said[0]
            elif kind == "Up":
                layer, width = nn.Upsample(scale_factor=2), inputs[0]
            elif kind == "Concat":
                layer, width = Concat(), sum(inputs)
            else:
                layer, width = Detect(classes, inputs), 0
            layer.i, layer.f, layer.type = number, source, kind
            layer.np = sum(p.numel() for p in layer.parameters())
            widths.append(width)
            layers.append(layer)
            kept |= {each % number for each in sources if each != -1}
        self.model, self.save = nn.Sequential(*layers), sorted(kept)

    def forward(self, x: Any) -> Any:
        outputs: list[Any] = []
        for m in self.model:
            if m.f != -1:
                sources = m.f if isinstance(m.f, list) else [m.f]
                found = [x if each == -1 else outputs[each] for each in sources]
                x = found if isinstance(m.f, list) else found[0]
            x = m(x)
            outputs.append(x if m.i in self.save else None)
        return x

    def load(self, weights: Any) -> None:
        mine, theirs = self.state_dict(), weights.float().state_dict()
        fits = {k: v for k, v in theirs.items() if k in mine and v.shape == mine[k].shape}
        self.load_state_dict(fits, strict=False)

    def fuse(self) -> "Detector":
        for m in self.model.modules():
            if isinstance(m, Conv) and hasattr(m, "bn"):
                bn = m.bn
                m.conv.weight, m.conv.bias = fuse_conv_bn_weights(
                    m.conv.weight, m.conv.bias, bn.running_mean, bn.running_var, bn.eps,
                    bn.weight, bn.bias,
                )  # fmt: skip
                delattr(m, "bn")
                m.forward = m.forward_fuse
        return self


class Average:
    def __init__(self, model: nn.Module) -> None:
        self.ema = copy.deepcopy(model).eval()
        for p in self.ema.parameters():
            p.requires_grad_(False)

    def update(self, model: nn.Module, decay: float = 0.5) -> None:
        theirs = model.state_dict()
        for name, tensor in self.ema.state_dict().items():
            if tensor.dtype.is_floating_point:
                tensor.mul_(decay).add_((1 - decay) * theirs[name].detach())


class Trainer:
    """Builds the network of a description anew, loads what fits, trains, saves the average.

    Each epoch writes `last.pt`, and the best one `best.pt`: the average in half precision, and the
    optimizer, whose groups are by the kinds of modules. Resuming builds anew from the average that
    was saved. At the end the best one is read, fused and evaluated.
    """

    def __init__(self, classes: int, folder: Path, amp: bool = False) -> None:
        self.data, self.folder, self.amp = SimpleNamespace(nc=classes), folder, amp
        self.start, self.fitness = 0, -1e9

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Detector:
        model = Detector(cfg["rows"], self.data.nc)
        if weights:
            model.load(weights)
        return model

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        groups: list[list[nn.Parameter]] = [[], [], []]
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                norm = isinstance(module, nn.BatchNorm2d)
                groups[2 if "bias" in name else 1 if norm else 0].append(parameter)
        optimizer = torch.optim.SGD(groups[2], lr=0.05, momentum=0.9, nesterov=True)
        optimizer.add_param_group({"params": groups[0], "weight_decay": 5e-4})
        optimizer.add_param_group({"params": groups[1], "weight_decay": 0.0})
        return optimizer

    def resume_training(self, saved: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.ema.load_state_dict(saved["ema"].float().state_dict())
        self.start, self.fitness = saved["epoch"] + 1, saved["fitness"]

    def validate(self, model: nn.Module) -> float:
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(100))
        with torch.no_grad():
            return -float(model.eval()(x).square().mean())

    def train(
        self, start: Detector, epochs: int = 1, steps: int = 3, resume: Path | None = None
    ) -> nn.Module:
        saved = torch.load(resume, weights_only=False) if resume else None
        start = saved["ema"].float() if saved else start
        model: nn.Module = self.get_model(cfg=start.yaml, weights=start, verbose=False).train()
        self.average, self.optimizer = Average(model), self.build_optimizer(model)
        if saved:
            self.resume_training(saved)
        called: nn.Module = model
        if dist.is_initialized():
            called = nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
        for epoch in range(self.start, epochs):
            for step in range(steps):
                seed = 10 * epoch + step
                x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
                with torch.autocast("cpu", torch.bfloat16, enabled=self.amp):
                    loss = sum(out.float().square().mean() for out in called(x))
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 10.0)
                self.optimizer.step()
                self.average.update(model)
            fitness = self.validate(self.average.ema)
            self.save(epoch, fitness)
        self.final = self.validate(loaded(self.folder / "best.pt").fuse())
        return model

    def save(self, epoch: int, fitness: float) -> None:
        better, self.fitness = fitness > self.fitness, max(fitness, self.fitness)
        content = {
            "epoch": epoch, "fitness": self.fitness, "model": None,
            "ema": copy.deepcopy(self.average.ema).half(),
            "optimizer": self.optimizer.state_dict(),
        }  # fmt: skip
        for name in ["last.pt"] + ["best.pt"] * better:
            torch.save(content, self.folder / name)


def loaded(path: Path) -> Detector:
    found: Detector = torch.load(path, weights_only=False)["ema"].float().eval()
    return found
