"""How examples/sounds were made: the music of three pictures in examples/staves, played by the piano that ships.

python examples/make_sounds.py dist/primus-omr
"""

from __future__ import annotations

import sys
from pathlib import Path

import soundfile
from datasets import load_dataset
from make_staves import CHOSEN

from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer

SOUNDS = Path(__file__).parent / "sounds"


def main(dataset: str) -> None:
    rows = load_dataset(dataset, split="test").select_columns(["id", "midi"])
    midi = {row["id"]: row["midi"] for row in rows}
    with Synthesizer(shipped_font()) as piano:
        for name in ("photograph", "photograph_in_bad_light", "photograph_small"):
            sound = piano.play(midi[CHOSEN[name][0]], gain=1.0)
            soundfile.write(SOUNDS / f"{name}.flac", sound, SAMPLING_RATE)


if __name__ == "__main__":
    main(sys.argv[1])
