"""`make demo`: read the example staves with the shipped model and lay what was read under each picture.

Writes, for each examples/staves/NAME.*: NAME.musicxml, NAME.mid, NAME.png (the score engraved anew) and
NAME.comparison.png (input above, engraved result below).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image
from transformers.utils import logging

from hfmusic.models.image_reading import grey_pixels, open_picture
from hfmusic.transcribe import transcribe_files

STAVES = Path(__file__).parent / "staves"


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


def main() -> int:
    parser = argparse.ArgumentParser(description="Read the example staves.")
    parser.add_argument("--out", type=Path, default=Path("demo_output"))
    parser.add_argument("--model", default="crnn-omr")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    failed = 0
    formats = ("semantic", "musicxml", "midi", "png")
    for file, result, written in transcribe_files([STAVES], arguments.model, formats=formats, out=arguments.out):
        if isinstance(result, ValueError):
            print(result, file=sys.stderr)
            failed = 1
            continue
        engraved = next(path for path in written if path.suffix == ".png")
        picture = arguments.out / f"{file.stem}.comparison.png"
        comparison(file, engraved).save(picture)
        names = ", ".join(path.name for path in [*written, picture])
        print(f"{file.name}: {len(result.tokens)} symbols, {100 * result.confidence:.0f} % sure -> {names}")
    print(f"The results are in {arguments.out}/")
    return failed


if __name__ == "__main__":
    sys.exit(main())
