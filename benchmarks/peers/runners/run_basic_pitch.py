"""basic-pitch with its own thresholds. Its amplitudes (0..1) become velocities as in its own MIDI writer."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

from loop import Note, Transcriber, run


def load(options: dict[str, Any]) -> Transcriber:
    logging.disable(logging.WARNING)  # of the runtimes that are not installed
    from basic_pitch import ICASSP_2022_MODEL_PATH
    from basic_pitch.inference import Model, predict

    model = Model(ICASSP_2022_MODEL_PATH)

    def transcribe(sound: str) -> Iterator[Note]:
        with contextlib.redirect_stdout(io.StringIO()):
            events = predict(sound, model)[2]
        for onset, offset, pitch, amplitude, _ in events:
            yield onset, offset, pitch, round(127 * float(amplitude))

    return transcribe


run(load)
