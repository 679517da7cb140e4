"""hfmusic's transcriber with the decoding options it comes with, by torch or, where it is exported, ONNX Runtime."""

from __future__ import annotations

from typing import Any

from loop import Note, Transcriber, run


def load(options: dict[str, Any]) -> Transcriber:
    import torch

    import hfmusic
    from hfmusic.models.audio_reading import open_sound

    torch.set_num_threads(options["threads"])
    model, processor = hfmusic.load(options["model"])

    def transcribe(sound: str) -> list[Note]:
        samples = open_sound(sound, sampling_rate=processor.sampling_rate)
        notes = processor.transcribe(model, samples)
        return [(note.onset_seconds, note.offset_seconds, note.pitch_midi, note.velocity) for note in notes]

    return transcribe


run(load)
