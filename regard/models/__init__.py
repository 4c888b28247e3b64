"""Networks by name. A family is a folder that says its options once, in its `config.py`.

The table holds import paths and imports nothing, so that names can be listed without PyTorch.
"""

from typing import Any

from regard._nearest import class_named

MODELS = {
    "transformer": "regard.models.transformer:Transformer",
    "transformer_classifier": "regard.models.transformer:TransformerClassifier",
    "transformer_tagger": "regard.models.transformer:TransformerTagger",
    "transformer_lm": "regard.models.transformer:TransformerLM",
    "bert": "regard.models.bert:Bert",
    "bert_classifier": "regard.models.bert:BertClassifier",
    "bert_tagger": "regard.models.bert:BertTagger",
    "bert_spans": "regard.models.bert:BertSpans",
    "bert_masked_lm": "regard.models.bert:BertMaskedLM",
    "albert": "regard.models.albert:Albert",
    "albert_classifier": "regard.models.albert:AlbertClassifier",
    "albert_tagger": "regard.models.albert:AlbertTagger",
    "albert_spans": "regard.models.albert:AlbertSpans",
    "albert_masked_lm": "regard.models.albert:AlbertMaskedLM",
    "albert_pretraining": "regard.models.albert:AlbertPretraining",
    "vit": "regard.models.vit:ViT",
    "vit_classifier": "regard.models.vit:ViTClassifier",
    "resnet": "regard.models.resnet:ResNet",
    "ram": "regard.models.ram:RAM",
    "unet": "regard.models.unet:UNet",
    "danet": "regard.models.danet:DANet",
    "captioner": "regard.models.captioner:Captioner",
    "gpt": "regard.models.gpt:Gpt",
    "gpt_classifier": "regard.models.gpt:GptClassifier",
    "gpt_spans": "regard.models.gpt:GptSpans",
    "gpt_tagger": "regard.models.gpt:GptTagger",
    "gpt_lm": "regard.models.gpt:GptLM",
    "xlnet": "regard.models.xlnet:XLNet",
    "xlnet_lm": "regard.models.xlnet:XLNetLM",
    "xlnet_classifier": "regard.models.xlnet:XLNetClassifier",
    "xlnet_tagger": "regard.models.xlnet:XLNetTagger",
    "xlnet_spans": "regard.models.xlnet:XLNetSpans",
    "llama": "regard.models.llama:Llama",
    "llama_classifier": "regard.models.llama:LlamaClassifier",
    "llama_spans": "regard.models.llama:LlamaSpans",
    "llama_tagger": "regard.models.llama:LlamaTagger",
    "llama_lm": "regard.models.llama:LlamaLM",
    "t5": "regard.models.t5:T5",
    "t5_encoder": "regard.models.t5:T5Encoder",
    "rnnsearch": "regard.models.rnnsearch:RNNsearch",
    "luong": "regard.models.luong:Luong",
    "lstm": "regard.models.lstm:LSTMClassifier",
    "lstm_tagger": "regard.models.lstm:LSTMTagger",
    "dan": "regard.models.dan:DAN",
    "cnn": "regard.models.cnn:CNNClassifier",
    "han": "regard.models.han:HAN",
    "abcnn": "regard.models.abcnn:ABCNN",
    "attentive_reader": "regard.models.attentive_reader:AttentiveReader",
    "memory": "regard.models.memory:MemoryNetwork",
    "din": "regard.models.din:DIN",
    "youtube_dnn": "regard.models.youtube_dnn:YouTubeDNN",
}
"""`model_type` of a configuration → where its class is."""


def model_class(name: str) -> Any:
    """The class of a network, imported on demand; raises `ValueError` for an unknown name.

    >>> model_class("lstm").config_type.tag
    'lstm'
    """
    return class_named("model", name, MODELS)
