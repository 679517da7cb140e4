"""Any picture a user may have to the grey pixels a staff is read from.

numpy and Pillow only: this file travels to the Hub with the models.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

# A picture is refused above this many pixels before its pixels are decoded (a 40-megapixel photo is fine).
MAX_PICTURE_PIXELS = 200_000_000

_NOT_PICTURES = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"RIFF": "a RIFF sound or video",
    b"fLaC": "a FLAC recording",
}


def open_picture(path: str | Path) -> Image.Image:
    """Decode a picture file; an animation gives its first frame.

    Raises:
        ValueError: missing, a folder, empty, no picture, cut off or too large; one sentence that names the file.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a picture")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    return decode_picture(data, str(path))


def decode_picture(data: bytes, name: str = "picture") -> Image.Image:
    """`open_picture` for bytes; `name` is what messages call them."""
    if not data:
        raise ValueError(f"{name}: the file is empty")
    for magic, kind in _NOT_PICTURES.items():
        if data.startswith(magic) and data[8:12] != b"WEBP":
            advice = "; export the page as PNG or JPEG first" if kind == "a PDF" else ""
            raise ValueError(f"{name}: {kind}, not a picture{advice}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError:
            raise ValueError(f"{name}: the picture has too many pixels") from None
        except Exception:  # decoders raise anything on hostile bytes
            raise ValueError(f"{name}: not a picture (PNG, JPEG, TIFF, WebP, GIF and BMP are read)") from None
        if image.width * image.height > MAX_PICTURE_PIXELS:
            raise ValueError(f"{name}: the picture has too many pixels ({image.width}x{image.height})")
        try:
            image.load()
        except Exception:
            raise ValueError(f"{name}: the picture is cut off or damaged") from None
    return image


def grey_pixels(image: Image.Image | np.ndarray) -> np.ndarray:
    """Grey pixels, uint8 (H, W), 255 = paper.

    EXIF orientation is applied, colour profiles are converted to sRGB, transparency is laid on white, 16-bit and float
    pictures are scaled to 8 bits. Arrays may be (H, W), (H, W, 1 | 3 | 4) or (3, H, W), uint8 or float in 0..1.

    Raises:
        ValueError: another type, shape or data type.
    """
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if not isinstance(image, Image.Image):
        raise ValueError(f"a picture must be a PIL image or a numpy array, got {type(image).__name__}")
    image = _in_srgb(ImageOps.exif_transpose(image))
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0 if values.max(initial=0) > 1 else 1.0
        return np.clip(values / top * 255, 0, 255).astype(np.uint8)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    good_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if not good_shape or 0 in array.shape:
        raise ValueError(f"a picture array must be (H, W) or (H, W, 3), got shape {array.shape}")
    if array.dtype == np.bool_ or (np.issubdtype(array.dtype, np.floating) and np.nanmax(array) <= 1.0):
        array = np.nan_to_num(array.astype(np.float32)) * 255
    elif array.dtype != np.uint8:
        raise ValueError(f"a picture array must be uint8, or float in 0..1, got {array.dtype}")
    return Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Through the embedded colour profile to sRGB; a broken profile is ignored, as viewers do."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        plain = image.convert("RGB") if image.mode == "RGBA" else image
        converted = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted
