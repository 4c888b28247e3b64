"""Yoyodyne's attentive LSTM on the words of `phonemes.py`, for so long as ours was trained.

It runs in any Python that has yoyodyne, which `phonemes.py` is told with `--yoyodyne PYTHON`, and
needs nothing of this library: it trains on `train_rows.tsv` until its process has had so many
seconds of the processor, and writes an answer to each word of `asked.tsv`.

    python phonemes_yoyodyne.py FOLDER SECONDS OUT
"""

import sys
import time
from pathlib import Path

import lightning
import torch
from yoyodyne import callbacks, data, models
from yoyodyne.models import modules

HIDDEN, EMBEDDED, BATCH = 256, 64, 64


class Until(lightning.Callback):
    """Ends training when the process has had its time."""

    def __init__(self, seconds: float) -> None:
        self.end = time.process_time() + seconds

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        trainer.should_stop = time.process_time() > self.end


def main(folder: Path, seconds: float, out: Path) -> None:
    torch.set_num_threads(1)
    lightning.seed_everything(0)
    read = data.DataModule(
        model_dir=str(out.parent),
        train=str(folder / "train_rows.tsv"),
        val=str(folder / "valid_rows.tsv"),
        predict=str(folder / "asked.tsv"),
        source_sep=" ",
        target_sep=" ",
        batch_size=BATCH,
    )
    sizes = {"embedding_size": EMBEDDED, "hidden_size": HIDDEN}
    encoder = modules.LSTMEncoder(vocab_size=read.vocab_size, **sizes)
    model = models.SoftAttentionLSTMModel(
        source_encoder=encoder,
        decoder_hidden_size=HIDDEN,
        embedding_size=EMBEDDED,
        vocab_size=read.vocab_size,
        target_vocab_size=read.target_vocab_size,
        max_target_length=40,
        compute_accuracy=False,
    )
    trainer = lightning.Trainer(
        max_epochs=1000,
        min_epochs=0,
        callbacks=[Until(seconds), callbacks.PredictionWriter(str(out), target_sep=" ")],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        gradient_clip_val=1.0,
    )
    trainer.fit(model, datamodule=read)
    print(f"{trainer.global_step} steps", flush=True)
    trainer.predict(model, datamodule=read, return_predictions=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
