"""Features of the datasets that `hfmusic build` writes, and how they travel inside Parquet."""

from __future__ import annotations

import json

import pyarrow as pa
from datasets import Audio, Features, Image, Value

# One staff a row. `work` is what splits are made by; texts are tokens parted by tabs, as PrIMuS's files have them.
PRIMUS_FEATURES = Features(
    {
        "id": Value("string"),
        "work": Value("string"),
        "source": Value("string"),
        "image": Image(),
        "distorted": Image(),
        "semantic": Value("string"),
        "agnostic": Value("string"),
        "midi": Value("binary"),
        "mei": Value("string"),
    }
)

# One staff a row, heard; its id is that of the row above.
PRIMUS_AUDIO_FEATURES = Features(
    {
        "id": Value("string"),
        "work": Value("string"),
        "source": Value("string"),
        "audio": Audio(sampling_rate=22050),
        "font": Value("string"),
        "program": Value("int32"),
        "semantic": Value("string"),
        "midi": Value("binary"),
    }
)


def parquet_schema(features: Features) -> pa.Schema:
    """The Arrow schema of some features, with the metadata by which `load_dataset` finds them again."""
    metadata = {"huggingface": json.dumps({"info": {"features": features.to_dict()}}, sort_keys=True)}
    return features.arrow_schema.with_metadata(metadata)
