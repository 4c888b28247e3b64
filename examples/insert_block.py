"""Inserting an attention block into a trained network: no weight is lost or renamed.

A small residual network learns which corner of an image is brightest. Then a block is inserted at
the end of each stage, initialized as the identity, and training continues.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import regard
from regard.vision import Plan


class Residual(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(branch + self.shortcut(x))


def network() -> nn.Module:
    stages = [Residual(3, 16), Residual(16, 32), Residual(32, 32)]
    return nn.Sequential(*stages, nn.Flatten(), nn.Linear(32 * 16, 4))


def images(count: int) -> tuple[Tensor, Tensor]:
    x, corner = torch.randn(count, 3, 32, 32), torch.randint(4, (count,))
    for number, where in enumerate(corner.tolist()):
        top, left = 16 * (where // 2), 16 * (where % 2)
        x[number, :, top : top + 16, left : left + 16] += 0.1
    return x, corner


def train(model: nn.Module, steps: int, rate: float) -> float:
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=rate)
    for _ in range(steps):
        x, corner = images(32)
        loss = cross_entropy(model(x), corner)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, corner = images(500)
    with torch.no_grad():
        return (model.eval()(x).argmax(1) == corner).float().mean().item()


def main(steps: int = 60) -> tuple[float, float, Plan]:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, (x, _) = network(), images(8)
    before = train(model, steps, 3e-3)
    old, was = {name: tensor.clone() for name, tensor in model.state_dict().items()}, model(x)

    plan = regard.insert(model, "cbam(reduction=8)", after="stage", identity_start=True)
    print(plan)
    print("outputs unchanged to the bit:", torch.equal(model(x), was))

    # What a trainer that rebuilds its network does: apply the plan, then load the weights.
    model = network()
    plan.apply(model)
    print(plan.load_weights(model, old))
    after = train(model, steps, 1e-3)
    print(f"accuracy {before:.3f} before, {after:.3f} after training on with the blocks")
    for place in plan.places:
        print(f"  {place.key} is faded in to {model.get_submodule(place.key).gamma.item():+.3f}")
    return before, after, plan


if __name__ == "__main__":
    main()
