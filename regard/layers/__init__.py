"""Weights around the operator: projections, heads, caches, feed-forward, and stacks of them.

>>> import torch
>>> from regard.layers import Attend, Heads, SelfAttention
>>> from regard.normalizers import sparsemax
>>> layer = SelfAttention(16, Heads(4, kv_heads=2), Attend(normalizer=sparsemax))
>>> layer(torch.randn(2, 5, 16)).shape
torch.Size([2, 5, 16])
"""

from regard.layers.activations import ACTIVATIONS, ActivationName
from regard.layers.attend import Attend
from regard.layers.attention_pool import AttentionPool, orthogonality_penalty
from regard.layers.aux_loss import (
    AuxLoss,
    AwaitsReward,
    BaselineReinforceLoss,
    CoverageLoss,
    PonderLoss,
    ReinforceLoss,
)
from regard.layers.blocks import DecoderBlock, DecoderCache, EncoderBlock
from regard.layers.by_columns import by_columns
from regard.layers.cache import FixedKVCache, KVCache, Past, StaticKVCache, WindowKVCache
from regard.layers.cross_attention import CrossAttention
from regard.layers.dropout import Dropout
from regard.layers.feed_forward import FeedForward, GatedFeedForward
from regard.layers.gru import GRU
from regard.layers.halting import ACTOutput, Halting
from regard.layers.hard_pool import HardPool
from regard.layers.heads import Heads
from regard.layers.hierarchical import Hierarchical, Level
from regard.layers.int8_embedding import Int8Embedding, int8
from regard.layers.join import concat_heads, mean_heads
from regard.layers.linear_cross_entropy import linear_cross_entropy
from regard.layers.mean_pool import MeanPool
from regard.layers.multi_head import MultiHeadAttention
from regard.layers.patch_embedding import PatchEmbedding
from regard.layers.pool import Pool
from regard.layers.prepacked_linear import prepacked
from regard.layers.reinforce import Reinforce
from regard.layers.relative_attention import Pairs, RelativeAttention, RelativeKeys
from regard.layers.residual import PostNorm, PreNorm
from regard.layers.sampling import Sampled, sample_keys
from regard.layers.segment_embedding import SegmentEmbedding
from regard.layers.self_attention import SelfAttention
from regard.layers.sentence_split import SentenceSplit, split_sentences
from regard.layers.stack import Stack
from regard.layers.stacked_lstm import LSTMState, StackedLSTM
from regard.layers.token_embedding import TokenEmbedding
from regard.layers.universal import universal
from regard.layers.unprojected import UnprojectedAttention
from regard.layers.windowed import Windowed
from regard.layers.word_dropout import WordDropout

__all__ = [
    "ACTIVATIONS",
    "ACTOutput",
    "ActivationName",
    "Attend",
    "AttentionPool",
    "AuxLoss",
    "AwaitsReward",
    "BaselineReinforceLoss",
    "CoverageLoss",
    "CrossAttention",
    "DecoderBlock",
    "DecoderCache",
    "Dropout",
    "EncoderBlock",
    "FeedForward",
    "GRU",
    "GatedFeedForward",
    "Halting",
    "HardPool",
    "Heads",
    "Hierarchical",
    "FixedKVCache",
    "Int8Embedding",
    "KVCache",
    "Past",
    "WindowKVCache",
    "Windowed",
    "LSTMState",
    "Level",
    "MeanPool",
    "MultiHeadAttention",
    "PatchEmbedding",
    "Pairs",
    "PonderLoss",
    "Pool",
    "PostNorm",
    "PreNorm",
    "Reinforce",
    "ReinforceLoss",
    "RelativeAttention",
    "RelativeKeys",
    "Sampled",
    "SegmentEmbedding",
    "SelfAttention",
    "SentenceSplit",
    "Stack",
    "StackedLSTM",
    "StaticKVCache",
    "TokenEmbedding",
    "UnprojectedAttention",
    "WordDropout",
    "by_columns",
    "concat_heads",
    "int8",
    "linear_cross_entropy",
    "mean_heads",
    "orthogonality_penalty",
    "prepacked",
    "sample_keys",
    "split_sentences",
    "universal",
]
