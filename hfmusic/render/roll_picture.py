"""A piano roll over the spectrogram of what was heard: rows of time like lines of text, keys at their left.

Notes are open bars, so that the sound they stand for is seen through them; colour is velocity, a white edge their
beginning. A note without light behind it was made up, light without a note was missed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from hfmusic.symbolic.performance import NoteLike

_WIDTH = 1800  # of a row's music, in pixels
_KEYS_WIDTH, _RIGHT = 74, 16
_KEY_HEIGHT = 8
_AXIS_HEIGHT, _GAP, _HEAD, _LEGEND_TEXT = 26, 16, 44, 13
_ROWS = {2: 1, 5: 1, 10: 1, 15: 4, 20: 8, 30: 16, 60: 16, 120: 16, 300: 16, 600: 16}  # seconds of a row: rows at most
_MOST_ROWS = 16
_FEWEST_KEYS = 25
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60)
_TICK_WIDTH = 90  # pixels between two labels at least
_PAPER, _INK, _GREY = (250, 250, 250), (30, 32, 38), (110, 116, 126)
_BLACK_KEYS = (1, 3, 6, 8, 10)
# Black, through blue to a pale one: no colour of a note.
_SPECTRUM = ((8, 10, 18), (22, 30, 58), (44, 66, 110), (96, 128, 168), (190, 208, 226))
# Velocities 1, 40, 64, 90, 127: they differ in lightness as in hue, and stand out of blue.
_VELOCITIES = (1, 40, 64, 90, 127)
_SOFT_TO_LOUD = ((120, 200, 120), (196, 226, 84), (255, 214, 46), (255, 140, 26), (255, 60, 60))


@dataclass(frozen=True)
class Spectrogram:
    """What sounded, for a background.

    Attributes:
        values: uint8 (bins, T), low pitch first, 255 = loudest.
        lowest: MIDI pitch of the lowest bin, may lie between keys.
        per_key: bins a semitone.
        column_seconds: from one column to the next; the first is centred on `start_seconds`.
        start_seconds: of the recording.
    """

    values: np.ndarray
    lowest: float
    per_key: int
    column_seconds: float
    start_seconds: float = 0.0


def roll_png(
    notes: Sequence[NoteLike],
    seconds: float,
    spectrogram: Spectrogram | None = None,
    *,
    start_seconds: float = 0.0,
    title: str = "",
) -> bytes:
    """PNG of notes, any number, over a spectrogram or over nothing.

    Args:
        notes: with times in seconds of the recording.
        seconds: how long the music is that is shown.
        start_seconds: of the recording, where the picture begins.

    Raises:
        ValueError: no time to show.
    """
    if not seconds > 0:
        raise ValueError(f"a picture of notes needs a length above 0 s, got {seconds}")
    lowest, highest = _compass(notes)
    row_seconds = _row_seconds(seconds)
    rows = max(1, int(np.ceil(seconds / row_seconds - 1e-6)))
    width = round(_WIDTH * min(1.0, seconds / row_seconds)) if rows == 1 else _WIDTH
    height = (highest - lowest + 1) * _KEY_HEIGHT
    size = (_KEYS_WIDTH + max(width, 560) + _RIGHT, _HEAD + rows * (height + _AXIS_HEIGHT + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    _draw_head(sheet, title, bool(notes))
    for row in range(rows):
        begin = start_seconds + row * row_seconds
        end = min(begin + row_seconds, start_seconds + seconds)
        part = _Row(begin, end, max(1, round(_WIDTH * (end - begin) / row_seconds)), lowest, highest)
        top = _HEAD + row * (height + _AXIS_HEIGHT + _GAP)
        sheet.paste(Image.fromarray(part.music(notes, spectrogram)), (_KEYS_WIDTH, top))
        _draw_keys(sheet, top, lowest, highest)
        _draw_axis(sheet, top + height, part)
    return _encoded(sheet)


def _encoded(sheet: Image.Image) -> bytes:
    """A PNG that says hfmusic drew it: only such pictures are overwritten."""
    signature, file = PngInfo(), io.BytesIO()
    signature.add_text("Software", "hfmusic")
    sheet.save(file, "PNG", compress_level=6, pnginfo=signature)
    return file.getvalue()


def _compass(notes: Sequence[NoteLike]) -> tuple[int, int]:
    """The keys that are shown: whole octaves, C to B, around all notes."""
    pitches = [note.pitch_midi for note in notes] or [48, 72]
    lowest, highest = min(pitches) - 1, max(pitches) + 1
    missing = max(0, _FEWEST_KEYS - (highest - lowest + 1))
    lowest, highest = lowest - missing // 2, highest + missing - missing // 2
    return max(0, lowest // 12 * 12), min(127, highest // 12 * 12 + 11)


def _row_seconds(seconds: float) -> float:
    """Of each row: several are about equally long, so that none is a stump."""
    for length, most in _ROWS.items():
        if seconds <= length * most:
            rows = np.ceil(seconds / length)
            return float(length if rows == 1 else np.ceil(seconds / rows))
    return float(np.ceil(seconds / _MOST_ROWS))


@dataclass(frozen=True)
class _Row:
    """A line of the picture: seconds of the recording, pixels, and the keys from `lowest` to `highest`."""

    begin: float
    end: float
    width: int
    lowest: int
    highest: int

    @property
    def height(self) -> int:
        return (self.highest - self.lowest + 1) * _KEY_HEIGHT

    def x(self, seconds: float) -> int:
        return round((seconds - self.begin) / (self.end - self.begin) * self.width)

    def y(self, pitch: int) -> int:
        """Top of a key."""
        return (self.highest - pitch) * _KEY_HEIGHT

    def music(self, notes: Sequence[NoteLike], spectrogram: Spectrogram | None) -> np.ndarray:
        """uint8 (height, width, 3)."""
        canvas = self._background(spectrogram)
        for pitch in range(self.lowest, self.highest + 1):
            if pitch % 12 == 0:
                canvas[self.y(pitch) + _KEY_HEIGHT - 1] = canvas[self.y(pitch) + _KEY_HEIGHT - 1] // 2 + 45
        for note in sorted(notes, key=lambda one: one.onset_seconds):
            if note.offset_seconds > self.begin and note.onset_seconds < self.end:
                self._draw_note(canvas, note)
        return canvas

    def _draw_note(self, canvas: np.ndarray, note: NoteLike) -> None:
        left = max(0, self.x(note.onset_seconds))
        right = min(self.width, max(left + 3, self.x(note.offset_seconds)))
        top = self.y(note.pitch_midi)
        color = np.array(velocity_color(note.velocity), dtype=np.uint8)
        bar = canvas[top : top + _KEY_HEIGHT - 1, left:right]
        bar[:] = (0.55 * bar + 0.45 * color).astype(np.uint8)
        bar[0] = bar[-1] = color
        bar[:, -1:] = color
        if note.onset_seconds >= self.begin:
            bar[:, :2] = 255

    def _background(self, spectrogram: Spectrogram | None) -> np.ndarray:
        if spectrogram is None or not spectrogram.values.size:
            return np.full((self.height, self.width, 3), _SPECTRUM[0], np.uint8)
        columns = (np.arange(self.width) + 0.5) / self.width * (self.end - self.begin) + self.begin
        columns = (columns - spectrogram.start_seconds) / spectrogram.column_seconds
        rows = self.highest + 0.5 - (np.arange(self.height) + 0.5) / _KEY_HEIGHT
        rows = (rows - spectrogram.lowest) * spectrogram.per_key
        first = max(0, int(columns[0]) - 2)
        some = spectrogram.values[:, first : int(columns[-1]) + 3]  # remap takes no more than 32,767 columns
        shrink = max(1, some.shape[1] // 16_000)
        some = some[:, : some.shape[1] // shrink * shrink].reshape(len(some), -1, shrink).max(axis=2)
        x, y = np.meshgrid(((columns - first) / shrink).astype(np.float32), rows.astype(np.float32))
        grey = cv2.remap(np.ascontiguousarray(some), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return _spectrum_colors()[grey]


def _spectrum_colors() -> np.ndarray:
    levels = np.linspace(0, 255, len(_SPECTRUM))
    channels = [np.interp(np.arange(256), levels, channel) for channel in zip(*_SPECTRUM, strict=True)]
    return np.stack(channels, axis=1).astype(np.uint8)


def velocity_color(velocity: int) -> tuple[int, int, int]:
    """(R, G, B) of a velocity, green for soft over yellow to red for loud.

    >>> velocity_color(127)
    (255, 60, 60)
    """
    channels = (np.interp(velocity, _VELOCITIES, channel) for channel in zip(*_SOFT_TO_LOUD, strict=True))
    red, green, blue = (round(float(value)) for value in channels)
    return red, green, blue


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _draw_head(sheet: Image.Image, title: str, legend: bool) -> None:
    draw = ImageDraw.Draw(sheet)
    while len(title) > 12 and draw.textlength(title, font=_font(17)) > sheet.width - _KEYS_WIDTH - 330:
        title = title[:-2].rstrip("…") + "…"
    draw.text((_KEYS_WIDTH, 12), title, fill=_INK, font=_font(17))
    if not legend:
        return
    left = sheet.width - _RIGHT - 170
    for x in range(128):
        draw.line([(left + x, 18), (left + x, 28)], fill=velocity_color(max(1, x)))
    draw.text((left - 8, 23), "velocity   soft", fill=_GREY, font=_font(_LEGEND_TEXT), anchor="rm")
    draw.text((left + 136, 23), "loud", fill=_GREY, font=_font(_LEGEND_TEXT), anchor="lm")


def _draw_keys(sheet: Image.Image, top: int, lowest: int, highest: int) -> None:
    """A keyboard on its side, black keys short, with the names of the Cs."""
    draw = ImageDraw.Draw(sheet)
    left, right = 34, _KEYS_WIDTH - 4
    bottom = top + (highest - lowest + 1) * _KEY_HEIGHT
    draw.rectangle([left, top, right, bottom - 1], fill=(255, 255, 255), outline=_GREY)
    for pitch in range(lowest, highest + 1):
        y = top + (highest - pitch) * _KEY_HEIGHT
        if pitch % 12 in _BLACK_KEYS:
            draw.rectangle([left, y, left + (right - left) * 6 // 10, y + _KEY_HEIGHT - 1], fill=_INK)
            draw.line([(left, y + _KEY_HEIGHT // 2), (right, y + _KEY_HEIGHT // 2)], fill=_GREY)
        elif pitch % 12 in (0, 5):
            draw.line([(left, y + _KEY_HEIGHT - 1), (right, y + _KEY_HEIGHT - 1)], fill=_GREY)
        if pitch % 12 == 0:
            place = (left - 5, y + _KEY_HEIGHT // 2)
            draw.text(place, f"C{pitch // 12 - 1}", fill=_INK, font=_font(12), anchor="rm")


def _draw_axis(sheet: Image.Image, top: int, row: _Row) -> None:
    draw = ImageDraw.Draw(sheet)
    per_second = row.width / (row.end - row.begin)
    step = next((tick for tick in _TICKS if tick * per_second >= _TICK_WIDTH), 60.0)
    for count in range(int(np.ceil(row.begin / step - 1e-6)), int(np.floor(row.end / step + 1e-6)) + 1):
        x = _KEYS_WIDTH + row.x(count * step)
        draw.line([(x, top), (x, top + 5)], fill=_INK)
        anchor = "ra" if x > sheet.width - 30 else "ma"
        draw.text((x, top + 7), clock(count * step), fill=_INK, font=_font(12), anchor=anchor)


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(75), clock(3.5), clock(3723)
    ('1:15', '0:03.5', '1:02:03')
    """
    whole, part = divmod(round(seconds * 10), 10)
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
    return f"{text}.{part}" if part else text
