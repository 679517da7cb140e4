"""A run's model folder as a model card's: half precision weights, and for models that hear a fitted decoder.

python tools/pack_model.py runs/crnn_amt/model model_cards/crnn-amt --meter dist/primus-audio dist/openscore-audio

Texts of the training splits named after --meter teach the meter model, the validation split of the first its weights.
README.md and metrics.json of the card are left as they are.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file

from hfmusic.data.staves import parquet_files, read_staves
from hfmusic.hub import Loaded, load
from hfmusic.models.audio_reading import open_sound
from hfmusic.training.meter_weights import fit_weights


def texts(folder: str) -> Iterator[list[str]]:
    """Token lists of a training split, without generated tunes."""
    for path in parquet_files(Path(folder), "train"):
        for row in pq.read_table(path, columns=["id", "semantic"]).to_pylist():
            if not row["id"].startswith("generated"):
                yield row["semantic"].split()


@torch.inference_mode()
def heard(loaded: Loaded, folder: str) -> tuple[list[np.ndarray], list[list[str]]]:
    """log probabilities (T, V+1) and texts of a validation split."""
    found, references = [], []
    for stave in read_staves(folder, split="validation", image="audio"):
        sound = open_sound(stave.encoded, sampling_rate=loaded.processor.feature_extractor.sampling_rate)
        logits = loaded.model(**loaded.processor(audio=sound, return_tensors="pt")).logits
        found.append(logits[0].log_softmax(-1).numpy())
        references.append(stave.text.split())
    return found, references


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a run's model folder a model card's.")
    parser.add_argument("run", type=Path)
    parser.add_argument("card", type=Path)
    parser.add_argument("--meter", nargs="*", default=[])
    given = parser.parse_args()
    given.card.mkdir(parents=True, exist_ok=True)
    for path in given.run.iterdir():
        shutil.copyfile(path, given.card / path.name)
    weights = given.card / "model.safetensors"
    halved = {name: value.half() if value.is_floating_point() else value for name, value in load_file(weights).items()}
    save_file(halved, weights, metadata={"format": "pt"})
    if given.meter:
        loaded = load(str(given.card))
        model = loaded.processor.fit_meter_model(text for folder in given.meter for text in texts(folder))
        print(fit_weights(model, *heard(loaded, given.meter[0]), loaded.processor.tokenizer.tokens))
        loaded.processor.save_pretrained(given.card)


if __name__ == "__main__":
    main()
