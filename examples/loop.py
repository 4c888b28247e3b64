"""A language model and its training loop with only the operator and PyTorch."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

import regard
from regard.masks import Causal
from regard.positions import RoPE

TEXT = "attention is all you need , and all you need is attention . " * 40
WIDTH, HEADS, LAYERS, BLOCK, BATCH, STEPS = 64, 4, 2, 32, 16, 100


class Block(nn.Module):
    """Pre-norm causal self-attention with rotary positions, then a feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.rope = RoPE()

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norms[0](x)).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        query, key = self.rope(query, offset=0), self.rope(key, offset=0)
        heads = regard.attention(query, key, value, mask=Causal())
        x = x + self.out(heads.transpose(1, 2).flatten(2))
        return x + self.down(gelu(self.up(self.norms[1](x))))


def main(steps: int = STEPS) -> float:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    letters = sorted(set(TEXT))
    ids = torch.tensor([letters.index(letter) for letter in TEXT])
    blocks = [Block() for _ in range(LAYERS)]
    head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(letters))
    model = nn.Sequential(nn.Embedding(len(letters), WIDTH), *blocks, *head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        start = torch.randint(len(ids) - BLOCK, (BATCH, 1))
        batch = ids[start + torch.arange(BLOCK + 1)]
        loss = cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == steps - 1:
            print(f"step {step}  loss {loss.item():.3f}")
    written = ids[:8].unsqueeze(0)
    for _ in range(40):
        written = torch.cat([written, model(written[:, -BLOCK:])[:, -1:].argmax(-1)], dim=1)
    print("".join(letters[letter] for letter in written[0].tolist()))
    return loss.item()


if __name__ == "__main__":
    main()
