"""The networks that can be named, one file each."""

from regard.cli.networks import abcnn, cnn, lstm, luong, rnnsearch, transformer
from regard.cli.networks.network import ModelSettings, Network

NETWORKS: dict[str, Network] = {
    "transformer": transformer.NETWORK,
    "rnnsearch": rnnsearch.NETWORK,
    "luong": luong.NETWORK,
    "lstm": lstm.NETWORK,
    "cnn": cnn.NETWORK,
    "abcnn": abcnn.NETWORK,
}

__all__ = ["NETWORKS", "ModelSettings", "Network"]
