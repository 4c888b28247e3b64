"""The networks that can be named, one file each."""

from regard.cli.networks import (
    abcnn,
    cnn,
    din,
    han,
    lstm,
    luong,
    memory,
    rnnsearch,
    transformer,
    youtube_dnn,
)
from regard.cli.networks.network import ModelSettings, Network

NETWORKS: dict[str, Network] = {
    "transformer": transformer.NETWORK,
    "rnnsearch": rnnsearch.NETWORK,
    "luong": luong.NETWORK,
    "lstm": lstm.NETWORK,
    "cnn": cnn.NETWORK,
    "han": han.NETWORK,
    "abcnn": abcnn.NETWORK,
    "memory": memory.NETWORK,
    "din": din.NETWORK,
    "youtube_dnn": youtube_dnn.NETWORK,
}

__all__ = ["NETWORKS", "ModelSettings", "Network"]
