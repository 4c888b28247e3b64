"""XLNet-base beside `transformers`, whose XLNet has nothing but its written-out attention.

Both have the same weights and answer alike before anything is timed. Five questions: a forward
pass, the same with our weights `prepacked`, one with its backward pass, the same in training with
the published dropout, and a step of pre-training, in which both streams run and a sixth of the
tokens is asked for. One thread is timed by the process's own clock. Memory is the growth of a
process of its own, in which one of the two has run before, so that nothing is compiled or loaded.
The products with weights alone are timed beside each: nothing of either takes less.

    python -m benchmarks.xlnet [--layers 12] [--batch 4] [--tokens 256] [--threads 1]
"""

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor

import regard
from benchmarks.measure import (
    clock,
    forget_high_water,
    median_seconds,
    peak_bytes,
    rows_of,
    save,
    side_by_side,
)
from regard.layers import prepacked
from regard.models.xlnet import Given, before
from regard.sequences import Sequences

VOCAB = 32_000
PREPACKED = "forward, prepacked"
QUESTIONS = (
    "forward",
    PREPACKED,
    "forward and backward",
    "training, dropout 0.1",
    "pre-training",
)
WIDTH, HIDDEN = 768, 3072


def networks(folder: str, question: str) -> tuple[Any, Any]:
    """Ours and theirs with the weights of one folder."""
    theirs = transformers.XLNetLMHeadModel.from_pretrained(folder, attn_implementation="eager")
    ours = regard.load(folder)
    if question == PREPACKED:
        ours = prepacked(ours)
    train = question.startswith("training")
    return ours.train(train), theirs.train(train)


def asked(batch: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, an order of factorization that asks for a sixth of them, and their places."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(VOCAB, (batch, tokens), generator=generator)
    drawn = torch.rand(batch, tokens, generator=generator).argsort(1)
    places = drawn[:, : tokens // 6]
    order = torch.full((batch, tokens), -1)
    order.scatter_(1, places, torch.arange(places.shape[1]).expand(batch, -1))
    return ids, order, places


def runs(question: str, ours: Any, theirs: Any, batch: int, tokens: int) -> tuple[Callable, ...]:
    """What of both is timed, each of which returns its states."""
    ids, order, places = asked(batch, tokens)
    source = Sequences(ids)
    if question == "pre-training":
        given = Given(places, before(order))
        forbidden = ~given.permitted
        forbidden.diagonal(dim1=1, dim2=2).fill_(True)
        told = {
            "perm_mask": forbidden.float(),
            "target_mapping": torch.nn.functional.one_hot(places, tokens).float(),
        }
        mine = lambda: ours.read(source, given).states  # noqa: E731
    else:
        told, mine = {}, lambda: ours.encoder(source)
    yours = lambda: theirs.transformer(ids, use_mems=False, **told).last_hidden_state  # noqa: E731
    if question.startswith("forward") and "backward" not in question:
        return torch.no_grad()(mine), torch.no_grad()(yours)
    return stepping(ours, mine), stepping(theirs, yours)


def stepping(model: Any, run: Callable) -> Callable:
    """A forward and a backward pass."""

    def step() -> Tensor:
        states = run()
        states.square().mean().backward()
        model.zero_grad(set_to_none=True)
        return states.detach()

    return step


def alone(folder: str, question: str, which: int, sizes: tuple[int, int, int]) -> Callable:
    """One of the two, in a process of its own, which forgets the other and what loading took."""
    torch.set_num_threads(sizes[2])
    run = runs(question, *networks(folder, question), *sizes[:2])[which]
    run()
    forget_high_water()
    return run


def floor(question: str, layers: int, batch: int, tokens: int) -> float:
    """Seconds of the products with weights, at the rate of PyTorch's own: one of 4 · WIDTH columns.

    A token is multiplied by 4 + 2 · 4 matrices of WIDTH columns and rows, a distance, of which
    there are two for each token, by one; in pre-training a query, of which there is one for six
    tokens, by 2 + 2 · 4. A backward pass takes twice as much, but for the gradient of distances.
    """
    x, weight = torch.randn(batch * tokens, WIDTH), torch.randn(HIDDEN, WIDTH)
    rate = 2 * x.shape[0] * weight.numel() / median_seconds(lambda: x @ weight.mT, 9, clock)
    square, rows = 2 * WIDTH * WIDTH, batch * tokens * 12
    distances = 2 * tokens
    if question == "pre-training":
        rows += batch * (tokens // 6) * 10 - batch * tokens * 10 // layers  # the last reads queries
    backward = not question.startswith("forward") or "backward" in question
    work = 3 * rows + 2 * distances if backward else rows + distances
    return layers * square * work / rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, usual in (("layers", 12), ("batch", 4), ("tokens", 256), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = {"d_model": WIDTH, "n_layer": given.layers, "n_head": 12, "d_inner": HIDDEN}
    sizes = vars(given)
    rows = [row for row in rows_of("xlnet") if any(row[k] != sizes[k] for k in sizes)]
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        config = transformers.XLNetConfig(vocab_size=VOCAB, mem_len=None, **shape)
        transformers.XLNetLMHeadModel(config).save_pretrained(folder)
        for question in QUESTIONS:
            pair = networks(folder, question)
            mine, yours = runs(question, *pair, given.batch, given.tokens)
            if not question.startswith("training"):
                torch.testing.assert_close(mine(), yours(), rtol=0, atol=1e-4)
            row = {"question": question, **side_by_side(mine, yours, 20.0, clock)}
            row["floor_s"] = floor(question, given.layers, given.batch, given.tokens)
            del pair, mine, yours
            called = (given.batch, given.tokens, given.threads)
            for which, name in enumerate(("ours", "theirs")):
                row[f"{name}_bytes"] = peak_bytes(alone, folder, question, which, called)
            rows.append({**sizes, **row})
            print(rows[-1], flush=True)
            save("xlnet", rows)


if __name__ == "__main__":
    main()
