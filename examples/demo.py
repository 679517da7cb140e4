"""`make demo`: read the example staves and hear the example sounds with the shipped models.

Writes, for each examples/staves/NAME.*: NAME.musicxml, NAME.mid, NAME.png (the score engraved anew) and
NAME.comparison.png (input above, engraved result below); for each examples/sounds/NAME.flac the same scores in heard/,
and in fused/ those of the picture and the sound of the same name together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image
from transformers.utils import logging

from hfmusic.models.image_reading import grey_pixels, open_picture
from hfmusic.transcribe import transcribe_files

STAVES, SOUNDS = (Path(__file__).parent / kind for kind in ("staves", "sounds"))
FORMATS = ("semantic", "musicxml", "midi", "png")


def comparison(above: Path, below: Path) -> Image.Image:
    """Two pictures on white, one over the other, each as wide as the result."""
    pictures = [Image.fromarray(grey_pixels(open_picture(path))) for path in (above, below)]
    width, margin = 1400, 24
    scaled = [p.resize((width, max(1, round(p.height * width / p.width))), Image.Resampling.LANCZOS) for p in pictures]
    sheet = Image.new("L", (width + 2 * margin, sum(p.height for p in scaled) + 3 * margin), 255)
    top = margin
    for picture in scaled:
        sheet.paste(picture, (margin, top))
        top += picture.height + margin
    return sheet


def read_staves(out: Path) -> int:
    """How many staves could not be read."""
    failed = 0
    for file, result, written in transcribe_files([STAVES], formats=FORMATS, out=out):
        if isinstance(result, ValueError):
            print(result, file=sys.stderr)
            failed += 1
            continue
        engraved = next(path for path in written if path.suffix == ".png")
        picture = out / f"{file.stem}.comparison.png"
        comparison(file, engraved).save(picture)
        names = ", ".join(path.name for path in [*written, picture])
        print(f"{file.name}: {len(result.tokens)} symbols, {100 * result.confidence:.0f} % sure -> {names}")
    return failed


def hear_sounds(out: Path) -> int:
    """How many sounds could not be heard, or not be fused with their picture."""
    failed = 0
    for sound in sorted(SOUNDS.glob("*.flac")):
        (picture,) = STAVES.glob(f"{sound.stem}.*")
        for name, files in {"heard": [sound], "fused": [picture, sound]}.items():
            jobs = transcribe_files(files, formats=FORMATS, out=out / name, fuse=name == "fused")
            for _, result, _ in jobs:
                if isinstance(result, ValueError):
                    print(result, file=sys.stderr)
                    failed += 1
                    continue
                told = f"{len(result.tokens)} symbols at {result.tempo:.0f} quarters a minute"
                print(f"{' + '.join(file.name for file in files)}: {told} -> {name}/{files[0].stem}.musicxml")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Read the example staves and hear the example sounds.")
    parser.add_argument("--out", type=Path, default=Path("demo_output"))
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    failed = read_staves(arguments.out) + hear_sounds(arguments.out)
    print(f"The results are in {arguments.out}/")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
