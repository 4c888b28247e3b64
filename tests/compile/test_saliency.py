"""The saliency model is one graph."""

import torch

from regard.vision import Saliency


def test_the_model_compiles_to_one_graph() -> None:
    images = torch.rand(1, 3, 256, 256)
    compiled = torch.compile(Saliency(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), Saliency()(images))
