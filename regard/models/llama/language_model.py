"""LLaMA that says which token comes next."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.models.attention import Attends
from regard.models.first_weights import start_normal
from regard.models.llama.config import LlamaLMConfig
from regard.models.llama.model import Llama
from regard.sequences import Packed, Sequences


class LlamaLM(nn.Module):
    """Continue a text: `p(next) = softmax(W x)`, with W the embedding's where it is tied.

    Args:
        attend: what every attention is made of instead of the parts that the configuration names.

    >>> config = LlamaLMConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> LlamaLM(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 9])
    """

    config_type: ClassVar[type[LlamaLMConfig]] = LlamaLMConfig

    def __init__(self, config: LlamaLMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.decoder = Llama(config, attend)
        self.config = self.decoder.config
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        start_normal(self.output, config.init_std)
        if config.tied:
            self.output.weight = self.decoder.embedding.tokens.weight

    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len vocab"]:
        """Logits of the token after each; zeros where there is none."""
        return source.zero_padding(self.output(self.features(source)))

    def features(self, source: Sequences | Packed) -> Float[Tensor, "batch len width"]:
        """What the output layer reads."""
        return self.decoder(source)

    def weights(
        self, source: Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.decoder.weights(source)
