"""How the recordings in spaces/find/examples were made: parts of its scores, played with a freer tempo by the piano
that ships.

python examples/make_space_sounds.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from hfmusic.files import write_atomic
from hfmusic.render.play_sheet import key_strokes
from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer
from hfmusic.scores import read_sheet

FIND = Path(__file__).parents[1] / "spaces" / "find"
# Recording -> score, seconds of it at its own tempo, how many times as fast it is played.
PLAYED = {
    "fish": ("schubert-die-forelle", 30.0, 46.0, 1.06),
    "to_music": ("schubert-an-die-musik", 20.0, 34.0, 0.93),
    "green": ("faure-green", 12.0, 28.0, 1.1),
}
SWAY, SWAY_SECONDS = 0.25, 9.0  # how far from an even tempo, and how often


def main() -> None:
    rng = np.random.default_rng(0)
    with Synthesizer(shipped_font()) as piano:
        for name, (score, begin, end, pace) in PLAYED.items():
            notes = [note for note in read_sheet(FIND / "scores" / f"{score}.mxl").notes if begin <= note[7] < end]
            warped = [
                note._replace(
                    onset_seconds=_played(note.onset_seconds - begin, pace),
                    offset_seconds=_played(note.offset_seconds - begin, pace),
                )
                for note in notes
            ]
            strokes = key_strokes(warped, rng.integers(55, 95, len(warped)).tolist())
            file = io.BytesIO()
            soundfile.write(file, piano.play_notes(strokes, gain=0.8), SAMPLING_RATE, format="FLAC")
            write_atomic(FIND / "examples" / f"{name}.flac", file.getvalue())


def _played(seconds: float, pace: float) -> float:
    """When a moment of the score is played."""
    return (seconds + SWAY * (1 - np.cos(2 * np.pi * seconds / SWAY_SECONDS))) / pace


if __name__ == "__main__":
    main()
