"""Pictures of every kind a user may hand over."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from hfmusic.models.image_reading import decode_picture, grey_pixels, open_picture


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def lines() -> np.ndarray:
    """Paper with a dark upper left corner: tells orientation."""
    pixels = np.full((20, 40), 255, np.uint8)
    pixels[:5, :10] = 0
    return pixels


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.7 ...", "a PDF, not a picture; export the page as PNG or JPEG first"),
        (b"PK\x03\x04....", "a zip archive, not a picture"),
        (b"hello there", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not a picture"),
    ],
)
def test_no_picture(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_picture(data)


def test_truncated(lines: np.ndarray) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8))
    for format in ("PNG", "JPEG"):
        data = encoded(noisy, format)
        with pytest.raises(ValueError, match="cut off or damaged"):
            decode_picture(data[: len(data) // 2], "half.png")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none.png: no such file"):
        open_picture(tmp_path / "none.png")
    with pytest.raises(ValueError, match="a folder, not a picture"):
        open_picture(tmp_path)


def test_too_many_pixels_are_refused_before_decoding() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    with pytest.raises(ValueError, match="too many pixels"):
        decode_picture(bomb)


def test_exif_orientation_is_applied(lines: np.ndarray) -> None:
    turned = Image.fromarray(lines).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn 90 degrees clockwise to view"
    data = encoded(turned, "PNG", exif=exif.tobytes())
    assert np.array_equal(grey_pixels(decode_picture(data)), lines)


def test_transparency_is_paper(lines: np.ndarray) -> None:
    black = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    black.putalpha(Image.fromarray(255 - lines))
    assert np.array_equal(grey_pixels(decode_picture(encoded(black))), lines)
    palette = Image.fromarray(lines).convert("P")
    palette.info["transparency"] = 0  # the dark corner shows the paper
    data = encoded(palette, "PNG", transparency=0)
    assert grey_pixels(decode_picture(data)).min() >= 250


def test_first_frame_of_an_animation(lines: np.ndarray) -> None:
    frames = [Image.fromarray(lines), Image.new("L", (40, 20), 128)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(grey_pixels(decode_picture(data)), lines)


def test_sixteen_bits_and_bilevel(lines: np.ndarray) -> None:
    deep = Image.fromarray(lines.astype(np.uint16) * 257)
    assert np.array_equal(grey_pixels(decode_picture(encoded(deep))), lines)
    assert np.array_equal(grey_pixels(decode_picture(encoded(Image.fromarray(lines).convert("1")))), lines)


def test_colour_profiles(lines: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colour = Image.fromarray(lines).convert("RGB")
    assert np.array_equal(grey_pixels(decode_picture(encoded(colour, "PNG", icc_profile=profile))), lines)
    assert np.array_equal(grey_pixels(decode_picture(encoded(colour, "PNG", icc_profile=b"broken"))), lines)
    cmyk = encoded(colour.convert("CMYK"), "TIFF")
    assert np.abs(grey_pixels(decode_picture(cmyk)).astype(int) - lines).max() < 30


def test_arrays(lines: np.ndarray) -> None:
    assert np.array_equal(grey_pixels(lines), lines)
    assert np.array_equal(grey_pixels(lines / 255.0), lines)
    assert np.array_equal(grey_pixels(np.stack([lines] * 3, axis=-1)), lines)
    assert np.array_equal(grey_pixels(np.stack([lines] * 3)), lines)
    assert np.array_equal(grey_pixels(lines[..., None]), lines)
    with pytest.raises(ValueError, match="uint8"):
        grey_pixels(lines.astype(np.int32))
    with pytest.raises(ValueError, match="shape"):
        grey_pixels(np.zeros((0, 4), np.uint8))
    with pytest.raises(ValueError, match="got str"):
        grey_pixels("staff.png")  # type: ignore[arg-type]
