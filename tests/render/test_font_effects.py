"""Which presets send to the chorus, on tables written by hand and on the shipped font."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from hfmusic.render.font_effects import sends_to_chorus
from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import Synthesizer
from hfmusic.symbolic.midi import write_midi
from hfmusic.symbolic.semantic import read_semantic

CHORUS, REVERB, INSTRUMENT, PAN = 15, 16, 41, 17
VELOCITY, CONTROLLER_93 = 2, 0x80 | 93


def font_of(
    folder: Path,
    *,
    preset: list[tuple[int, int]] = [],  # noqa: B006
    instrument: list[tuple[int, int]] = [],  # noqa: B006
    modulators: list[tuple[int, int, int]] = [],  # noqa: B006
) -> Path:
    """A font of two presets, 0 and 5: 0 plays instrument 0 and 5 plays instrument 1, which has the given records."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def header(program: int, bag: int) -> bytes:
        return struct.pack("<20sHHH12x", b"p", program, 0, bag)

    gens = [(PAN, 10), (INSTRUMENT, 0), *preset, (INSTRUMENT, 1), (0, 0)]
    tables = {
        b"phdr": header(0, 0) + header(5, 1) + header(0, 2),
        b"pbag": struct.pack("<6H", 0, 0, 2, 0, len(gens) - 1, 0),
        b"pmod": bytes(10),
        b"pgen": b"".join(struct.pack("<Hh", *gen) for gen in gens),
        b"inst": struct.pack("<20sH20sH20sH", b"i", 0, b"j", 1, b"EOI", 2),
        b"ibag": struct.pack("<6H", 0, 0, 1, 0, 1 + len(instrument), len(modulators)),
        b"imod": b"".join(struct.pack("<HHhHH", *modulator, 0, 0) for modulator in modulators) + bytes(10),
        b"igen": b"".join(struct.pack("<Hh", *gen) for gen in [(REVERB, 100), *instrument, (0, 0)]),
    }
    data = b"RIFF....sfbkLIST....pdta" + b"".join(chunk(name, table) for name, table in tables.items())
    path = folder / "font.sf2"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("records", "sends"),
    [
        ({}, False),
        ({"preset": [(CHORUS, 100)]}, True),
        ({"preset": [(CHORUS, 0)]}, False),
        ({"instrument": [(PAN, 3), (CHORUS, 50)]}, True),
        ({"instrument": [(REVERB, 50)]}, False),
        ({"modulators": [(VELOCITY, CHORUS, 200)]}, True),
        ({"modulators": [(CONTROLLER_93, CHORUS, 200)]}, False),  # silent while the controller is at 0
        ({"modulators": [(VELOCITY, REVERB, 200)]}, False),
    ],
)
def test_what_counts(records: dict, sends: bool, tmp_path: Path) -> None:
    font = font_of(tmp_path, **records)
    assert sends_to_chorus(font, 0, 5) is sends
    assert sends_to_chorus(font, 0, 0) is False  # the other preset


def test_what_cannot_be_read_counts_as_sending(tmp_path: Path) -> None:
    font = font_of(tmp_path)
    assert sends_to_chorus(font, 0, 7)  # no such preset
    for name, data in {"empty": b"", "text": b"pdta, you say", "cut": font.read_bytes()[:200]}.items():
        (tmp_path / name).write_bytes(data)
        assert sends_to_chorus(tmp_path / name, 0, 0), name


def test_the_shipped_piano_sounds_the_same_without_chorus() -> None:
    assert not sends_to_chorus(shipped_font(), 0, 0)
    midi = write_midi(read_semantic("note-C3_quarter note-A4_quarter note-C6_half rest-quarter note-G4_eighth"))
    with Synthesizer(shipped_font()) as quick, Synthesizer(shipped_font()) as slow:
        slow._sends_to_chorus = True
        np.testing.assert_array_equal(quick.play(midi), slow.play(midi))
