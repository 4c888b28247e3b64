"""Weights around the operator: projections, heads, caches, feed-forward, and stacks of them.

>>> import torch
>>> from regard.layers import Attend, SelfAttention
>>> from regard.normalizers import sparsemax
>>> SelfAttention(16, 4, Attend(normalizer=sparsemax), kv_heads=2)(torch.randn(2, 5, 16)).shape
torch.Size([2, 5, 16])
"""

from regard.layers.attend import Attend
from regard.layers.attention_pool import AttentionPool, penalty
from regard.layers.blocks import DecoderBlock, DecoderCache, EncoderBlock
from regard.layers.cache import Constant, Growing
from regard.layers.choice import Choice, Reinforce, draw
from regard.layers.cross_attention import CrossAttention
from regard.layers.dropout import Dropout
from regard.layers.feed_forward import FeedForward, GatedFeedForward
from regard.layers.gru import GRU
from regard.layers.halting import Halting, Pondered, Toll
from regard.layers.hard_pool import HardPool
from regard.layers.hierarchical import Hierarchical, Level
from regard.layers.join import concat, mean
from regard.layers.mean_pool import MeanPool
from regard.layers.multi_head import MultiHeadAttention
from regard.layers.residual import PostNorm, PreNorm
from regard.layers.self_attention import SelfAttention
from regard.layers.sentences import Sentences, sentences
from regard.layers.stack import Stack
from regard.layers.stacked_lstm import LSTM, LSTMState
from regard.layers.universal import universal

__all__ = [
    "Attend",
    "AttentionPool",
    "Choice",
    "Constant",
    "CrossAttention",
    "DecoderBlock",
    "DecoderCache",
    "Dropout",
    "EncoderBlock",
    "FeedForward",
    "GRU",
    "GatedFeedForward",
    "Growing",
    "Halting",
    "HardPool",
    "Hierarchical",
    "LSTM",
    "LSTMState",
    "Level",
    "MeanPool",
    "MultiHeadAttention",
    "Pondered",
    "PostNorm",
    "PreNorm",
    "Reinforce",
    "SelfAttention",
    "Sentences",
    "Stack",
    "Toll",
    "concat",
    "draw",
    "mean",
    "penalty",
    "sentences",
    "universal",
]
