"""A network of your own, trained, saved and loaded by the workbench."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from train_on_csv import reviews

import regard
from regard.layers import AttentionPool
from regard.sequences import Sequences
from regard.tasks.classify import Classify, ClassifySettings
from regard.tasks.predictor import Answer


class Bag(nn.Module):
    """A bag of words, weighted by attention; the library knows nothing about it."""

    def __init__(self, vocab: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.pool = AttentionPool(width)
        self.output = nn.Linear(width, classes)

    def forward(self, source: Sequences) -> Tensor:
        """Logits of the labels: all that the task requires."""
        pooled = self.pool(self.words(source.ids), source.mask)
        return self.output(pooled.squeeze(1))

    def attention_weights(self, source: Sequences) -> Tensor:
        """How much each word counted: optional, for display."""
        return self.pool.weights(self.words(source.ids), source.mask).squeeze(1)


def main() -> tuple[float, Answer]:
    torch.manual_seed(0)
    settings = ClassifySettings.from_entries(
        {"tokens": {"kind": "words", "size": 100}, "batch_tokens": 256}
    )
    with tempfile.TemporaryDirectory() as folder:
        data = Classify.prepare(str(reviews(Path(folder) / "reviews.csv")), settings)
        vocab, classes = data.coder.sizes["vocab"], data.coder.sizes["classes"]
        out = Path(folder) / "bag"
        task = Classify(data, Bag(vocab, classes), settings)
        run = regard.train(task=task, epochs=6, learning_rate=1e-2, out=out)
        accuracy = run.metrics["valid"]["accuracy"]
        # The folder has only its weights: pass a network to load them into.
        again = regard.Run(out, model=Bag(vocab, classes))
        answer = again.predict(["after an hour the music became clever"])[0]
    print(f"{accuracy:.1%} of the held-out sentences are labelled correctly.\n")
    print(answer)
    return accuracy, answer


if __name__ == "__main__":
    main()
