"""A score of your own: in the operator, in a layer, and in a network that is saved and loaded."""

import tempfile

import torch
from torch import Tensor

import regard
from regard.layers import Attend, SelfAttention
from regard.models.transformer import TransformerClassifier, TransformerClassifierConfig
from regard.sequences import Sequences


def manhattan(query: Tensor, key: Tensor) -> Tensor:
    """Negative L1 distance: the closer two vectors, the higher the score."""
    return -torch.cdist(query, key, p=1.0)


def main() -> bool:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 6, 8).unbind(0)  # batch, heads, length, width
    print(regard.attention(query, key, value, score=manhattan).shape)
    print(regard.plan(query, key, value, score=manhattan))

    layer = SelfAttention(32, 4, Attend(score=manhattan))
    print(layer.weights(torch.randn(2, 6, 32)).shape)

    config = TransformerClassifierConfig(vocab=50, classes=3, embed_dim=32, layers=2)
    model = TransformerClassifier(config, attend=Attend(score=manhattan)).eval()
    source = Sequences.of([[4, 8, 5], [6]])
    with tempfile.TemporaryDirectory() as folder:
        regard.save(model, folder)
        try:
            regard.load(folder)
        except ValueError as error:
            print("without the score:", str(error).partition("config.json: ")[2])
        again = regard.load(folder, attend=Attend(score=manhattan))
    same = torch.equal(model(source), again(source))
    print("with the score: the same logits" if same else "with the score: other logits")
    return same


if __name__ == "__main__":
    main()
