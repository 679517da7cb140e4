"""Features of the datasets that `hfmusic build` writes, and how they travel inside Parquet."""

from __future__ import annotations

import json

import pyarrow as pa
from datasets import Audio, Features, Image, List, Value

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


# A note of a recording: `hfmusic.data.note_files.Note`.
_NOTES = [
    {
        "onset_seconds": Value("float64"),
        "offset_seconds": Value("float64"),
        "pitch_midi": Value("int16"),
        "velocity": Value("int16"),
        "string": Value("int16"),
    }
]

# One recording a row. `program` is General MIDI's, -1 of real instruments; `seconds` is the length of the sound.
RECORDING_FEATURES = Features(
    {
        "id": Value("string"),
        "work": Value("string"),
        "source": Value("string"),
        "instrument": Value("string"),
        "program": Value("int32"),
        "font": Value("string"),
        "audio": Audio(sampling_rate=16000),
        "seconds": Value("float32"),
        "notes": _NOTES,
    }
)

# How a synthesized recording departs from its labels' file: see `hfmusic.data.renditions.Rendition` (where it begins in
# the piece as it was played, its tempo ...) and `hfmusic.data.treatments.Treatment`.
SYNTHESIZED_FEATURES = Features(
    {
        **RECORDING_FEATURES,
        "begin_seconds": Value("float32"),
        "tempo": Value("float32"),
        "transposition": Value("int16"),
        "velocity_scale": Value("float32"),
        "room_seconds": Value("float32"),
        "room_decibels": Value("float32"),
        "noise_decibels": Value("float32"),
        "eq_decibels": [Value("float32")],
    }
)


_PLACE = {"page": Value("int16"), "system": Value("int16"), "x": Value("float32")}

# One rendition of an engraved piece a row; places are in pixels of its pages: see `hfmusic.render.sheet`.
SHEET_AUDIO_FEATURES = Features(
    {
        "id": Value("string"),
        "work": Value("string"),
        "piece": Value("string"),
        "composer": Value("string"),
        "title": Value("string"),
        "source": Value("string"),
        "font": Value("string"),
        "program": Value("int32"),
        "tempo_factor": Value("float32"),
        "audio": Audio(sampling_rate=22050),
        "seconds": Value("float32"),
        "pages": List(Image()),
        "systems": List(
            {"page": Value("int16"), **{side: Value("float32") for side in ("left", "top", "right", "bottom")}}
        ),
        "notes": List(
            {
                **_PLACE,
                "y": Value("float32"),
                "pitch_midi": Value("int16"),
                "staff": Value("int8"),
                "onset_quarters": Value("float64"),
                "onset_seconds": Value("float64"),
                "offset_seconds": Value("float64"),
            }
        ),
        "measures": List(
            {
                "number": Value("string"),
                **_PLACE,
                "onset_quarters": Value("float64"),
                "onset_seconds": Value("float64"),
                "beats": Value("float32"),
            }
        ),
    }
)

# One rendition of a piece on a grid of beats a row: `hfmusic.data.rolls.RollPiece`. Windows are cut when it is read.
PIANOROLL_AUDIO_FEATURES = Features(
    {
        **{name: Value("string") for name in ("id", "work", "piece", "composer", "source", "font")},
        "program": Value("int32"),
        "transposition": Value("int16"),
        "audio": Audio(sampling_rate=22050),
        "seconds": Value("float32"),
        "steps_per_beat": Value("int32"),
        "notes": List(
            {
                "onset_step": Value("int32"),
                "offset_step": Value("int32"),
                "onset_seconds": Value("float64"),
                "offset_seconds": Value("float64"),
                "pitch_midi": Value("int16"),
                "velocity": Value("int16"),
            }
        ),
        "step_seconds": List(Value("float64")),
    }
)


def at_rate(features: Features, sampling_rate: int) -> Features:
    """Some features with their sound at another rate."""
    return Features({**features, "audio": Audio(sampling_rate=sampling_rate)})


def parquet_schema(features: Features) -> pa.Schema:
    """The Arrow schema of some features, with the metadata by which `load_dataset` finds them again."""
    metadata = {"huggingface": json.dumps({"info": {"features": features.to_dict()}}, sort_keys=True)}
    return features.arrow_schema.with_metadata(metadata)
