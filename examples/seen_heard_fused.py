"""One incipit seen, heard and fused, side by side: a picture of both inputs and of the three scores.

python examples/seen_heard_fused.py examples/staves/photograph.jpg examples/sounds/photograph.flac
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import hfmusic
from hfmusic.fuse import transcribe_pair
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.image_reading import grey_pixels, open_picture
from hfmusic.transcribe import Transcription, transcribe

WIDTH, MARGIN = 1500, 20


def spectrum(sound: Path) -> Image.Image:
    """What the listening network is given: time to the right, pitch upwards, loud is dark."""
    ear = hfmusic.load("crnn-amt").processor.feature_extractor
    values = ear.features(open_sound(sound, sampling_rate=ear.sampling_rate)).values
    return Image.fromarray(np.uint8(255 * (1 - values))).resize((WIDTH, 180), Image.Resampling.BILINEAR)


def engraved(reading: Transcription) -> Image.Image:
    return Image.open(io.BytesIO(bytes(reading.to("png")))).convert("L")  # type: ignore[arg-type]


def wide(picture: Image.Image) -> Image.Image:
    """As wide as the sheet; short staves are not blown up beyond 1.3 times."""
    scale = min(WIDTH / picture.width, 1.3)
    size = (round(picture.width * scale), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def sheet(parts: list[tuple[str, Image.Image]]) -> Image.Image:
    """Titled pictures, one under the other, on white."""
    font = ImageFont.load_default(22)
    parts = [(title, wide(picture)) for title, picture in parts]
    height = sum(picture.height + 30 + MARGIN for _, picture in parts) + MARGIN
    page = Image.new("L", (WIDTH + 2 * MARGIN, height), 255)
    draw, top = ImageDraw.Draw(page), MARGIN
    for title, picture in parts:
        draw.text((MARGIN, top), title, fill=0, font=font)
        page.paste(picture, (MARGIN, top + 30))
        top += picture.height + 30 + MARGIN
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description="One incipit seen, heard and fused.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("sound", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("seen_heard_fused.png"))
    given = parser.parse_args()
    readings = {
        "seen": transcribe(given.picture),
        "heard": transcribe(given.sound),
        "fused": transcribe_pair([given.picture, given.sound]),
    }
    parts = [
        ("picture", Image.fromarray(grey_pixels(open_picture(given.picture)))),
        ("recording", spectrum(given.sound)),
    ]
    parts += [(f"{name}: {len(one.tokens)} symbols", engraved(one)) for name, one in readings.items()]
    sheet(parts).save(given.out)
    for name, one in readings.items():
        print(f"{name}: {' '.join(one.tokens)}")


if __name__ == "__main__":
    main()
