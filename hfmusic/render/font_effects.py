"""Whether a preset of a SoundFont sends anything to the chorus: where none does, chorus is work without a sound.

FluidSynth computes its chorus always, a fifth of the time of playing a piano; General MIDI pianos send nothing there,
and their samples are the same with it on and off. Read from the font's own tables (SoundFont 2.04, section 7).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CHORUS_CONTROLLER = 93
_CHORUS_SEND, _INSTRUMENT = 15, 41  # generators
_BY_CONTROLLER = 0x80 | CHORUS_CONTROLLER  # a modulator's source: linear, from 0 where the controller is at 0
_TAIL = 1 << 23  # bytes: the tables of the largest fonts take some 1 MB
_TABLES = {
    "phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]),
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    **dict.fromkeys(("pbag", "ibag"), np.dtype([("gen", "<u2"), ("mod", "<u2")])),
    **dict.fromkeys(("pgen", "igen"), np.dtype([("kind", "<u2"), ("amount", "<i2")])),
    **dict.fromkeys(
        ("pmod", "imod"),
        np.dtype([("source", "<u2"), ("kind", "<u2"), ("amount", "<i2"), ("by", "<u2"), ("transform", "<u2")]),
    ),
}


def sends_to_chorus(font: Path, bank: int, program: int) -> bool:
    """Whether a preset sends to the chorus while MIDI controller 93 is at 0. True where the tables cannot be read."""
    try:
        tables = _tables(font)
        headers = tables["phdr"]
        (number, *_) = np.flatnonzero((headers["bank"][:-1] == bank) & (headers["program"][:-1] == program))
        generators, modulators = _zones(tables, "p", headers["bag"], int(number))
        if _any_send(generators, modulators):
            return True
        instruments = set(generators["amount"][generators["kind"] == _INSTRUMENT].astype(np.uint16).tolist())
        return any(_any_send(*_zones(tables, "i", tables["inst"]["bag"], index)) for index in instruments)
    except (KeyError, ValueError, IndexError):
        return True


def _tables(font: Path) -> dict[str, np.ndarray]:
    """The tables of the "pdta" list, which comes last. Before it, compressed fonts may pad otherwise than RIFF says."""
    with font.open("rb") as file:
        file.seek(max(0, font.stat().st_size - _TAIL))
        tail = file.read()
    at, tables = tail.rindex(b"pdta") + 4, {}
    while at + 8 <= len(tail):
        name, size = tail[at : at + 4].decode("latin-1"), int.from_bytes(tail[at + 4 : at + 8], "little")
        if name in _TABLES:
            tables[name] = np.frombuffer(tail[at + 8 : at + 8 + size], _TABLES[name])
        at += 8 + size + size % 2
    return tables


def _zones(tables: dict[str, np.ndarray], part: str, bags: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
    """The generators and modulators of one preset ("p") or instrument ("i")."""
    first, last = (tables[f"{part}bag"][int(bags[index + step])] for step in (0, 1))
    return (
        tables[f"{part}gen"][int(first["gen"]) : int(last["gen"])],
        tables[f"{part}mod"][int(first["mod"]) : int(last["mod"])],
    )


def _any_send(generators: np.ndarray, modulators: np.ndarray) -> bool:
    given = (generators["kind"] == _CHORUS_SEND) & (generators["amount"] != 0)
    moved = (
        (modulators["kind"] == _CHORUS_SEND) & (modulators["amount"] != 0) & (modulators["source"] != _BY_CONTROLLER)
    )
    return bool(given.any() or moved.any())
