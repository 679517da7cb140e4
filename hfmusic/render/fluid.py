"""FluidSynth in this process, as far as offline rendering needs it: a settings object, a synth, one font, floats.

Through the functions of pyfluidsynth's `fluidsynth` module, not its `Synth` class: that one gives 16-bit samples with
dither, whose phase goes on from sound to sound. No audio driver is opened, and FluidSynth's log is silent.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .soundfonts import install_advice

BLOCK = 64  # frames that FluidSynth renders at a time: events take effect at their beginning
_LOG_LEVELS = 5
_FLOATS = ctypes.POINTER(ctypes.c_float)


@cache
def fluidsynth_module() -> ModuleType:
    """pyfluidsynth with FluidSynth's library loaded.

    Raises:
        ValueError: the library or its binding is not installed; one sentence with the command that installs it.
    """
    # FluidSynth decodes compressed fonts by libsndfile, and takes the one that soundfile brings where that is loaded
    # already: always load it before, or samples depend (by 1e-7) on what else a program imports.
    import soundfile  # noqa: F401

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells its search where the variable CI is set
            module = _import()
    except (ImportError, OSError, AttributeError) as error:
        command = "pip install pyfluidsynth" if _no_binding(error) else install_advice()[0]
        raise ValueError(f"sound needs FluidSynth's library, which is not here: {command}") from None
    c = module._fl
    for name, result in (("get_sfont_by_id", ctypes.c_void_p), ("write_float", ctypes.c_int)):
        getattr(c, f"fluid_synth_{name}").restype = result
    c.fluid_sfont_iteration_next.restype = ctypes.c_void_p
    for level in range(_LOG_LEVELS):
        c.fluid_set_log_function(level, None, None)
    return module


def library_version() -> str:
    """Version of FluidSynth's library: another one may give other samples."""
    text = fluidsynth_module()._fl.fluid_version_str
    text.restype = ctypes.c_char_p
    return str(text().decode())


def _import() -> ModuleType:
    import fluidsynth

    return fluidsynth


def _no_binding(error: Exception) -> bool:
    return isinstance(error, ModuleNotFoundError) and error.name == "fluidsynth"


def _is_whole_soundfont(path: Path) -> bool:
    """Whether a file begins as a SoundFont does and is as long as it says.

    Others make the libraries behind FluidSynth talk on stderr.
    """
    with path.open("rb") as file:
        head = file.read(12)
    length = int.from_bytes(head[4:8], "little") + 8
    return head[:4] == b"RIFF" and head[8:] == b"sfbk" and length <= path.stat().st_size


class FluidSynth:
    """One synth with one font, all 16 channels set to one program.

    Args:
        program: of bank 0; None takes the first preset of the font.

    Raises:
        ValueError: no library; a file that is no SoundFont; a program that the font lacks.
    """

    def __init__(
        self, font: Path, program: int | None, *, sampling_rate: int, gain: float, reverb: bool, chorus: bool
    ) -> None:
        self._f = fluidsynth_module()
        self._settings = self._f.new_fluid_settings()
        self._synth: int | None = None
        self._font: int | None = None
        for name, number in (("synth.sample-rate", float(sampling_rate)), ("synth.gain", gain)):
            self._f.fluid_settings_setnum(self._settings, name.encode(), number)
        flags = {"reverb.active": reverb, "chorus.active": chorus, "lock-memory": 0}
        for name, flag in flags.items():
            self._f.fluid_settings_setint(self._settings, f"synth.{name}".encode(), int(flag))
        self._synth = self._f.new_fluid_synth(self._settings)
        try:
            whole = _is_whole_soundfont(font)
            number = self._f.fluid_synth_sfload(self._synth, os.fsencode(font), 0) if whole else -1
            if number < 0:
                raise ValueError(f"{font} is no SoundFont that FluidSynth can read ({font.stat().st_size} bytes)")
            self._font = self._f._fl.fluid_synth_get_sfont_by_id(ctypes.c_void_p(self._synth), number)
            self.bank, self.program = self._choose(program, font)
            self.reset()
        except BaseException:
            self.close()
            raise

    def presets(self) -> list[tuple[int, int]]:
        """(bank, program) of all presets of the font, in its order."""
        c, found = self._f._fl, []
        font = ctypes.c_void_p(self._font)
        c.fluid_sfont_iteration_start(font)
        while preset := c.fluid_sfont_iteration_next(font):
            pointer = ctypes.c_void_p(preset)
            found.append((c.fluid_preset_get_banknum(pointer), c.fluid_preset_get_num(pointer)))
        return found

    def _choose(self, program: int | None, font: Path) -> tuple[int, int]:
        presets = self.presets()
        if not presets:
            raise ValueError(f"{font} has no presets")
        if program is None:
            return presets[0]
        if (0, program) not in presets:
            there = sorted(number for bank, number in presets if bank == 0)
            listed = ", ".join(map(str, there[:12])) + (" ..." if len(there) > 12 else "")
            raise ValueError(f"{font} has no program {program} in bank 0, only {listed or 'other banks'}")
        return 0, program

    def reset(self) -> None:
        """A new synth takes the font over, the program on all channels: nothing of the last sound is left.

        FluidSynth's own reset leaves the oscillators of its chorus and reverb where they are, so that a sound would
        depend on those before it. A new synth takes 1 ms.
        """
        c, old = self._f._fl, ctypes.c_void_p(self._synth)
        font = ctypes.c_void_p(self._font)
        self._f.fluid_synth_system_reset(self._synth)
        c.fluid_synth_remove_sfont(old, font)
        self._synth = self._f.new_fluid_synth(self._settings)
        number = c.fluid_synth_add_sfont(ctypes.c_void_p(self._synth), font)
        self._f.delete_fluid_synth(old)
        for channel in range(16):
            self._f.fluid_synth_program_select(self._synth, channel, number, self.bank, self.program)

    def switch(self, *, reverb: bool, chorus: bool, gain: float) -> None:
        """Effects on or off, and the volume, for what is rendered from now on."""
        c, synth = self._f._fl, ctypes.c_void_p(self._synth)
        c.fluid_synth_set_reverb_on(synth, int(reverb))
        c.fluid_synth_set_chorus_on(synth, int(chorus))
        c.fluid_synth_set_gain(synth, ctypes.c_float(gain))

    def send(self, kind: str, channel: int, first: int, second: int) -> None:
        """A channel message: "note_on", "note_off", "control_change" or "pitchwheel" (0 to 16,383)."""
        f: Any = self._f
        if kind == "note_on" and second:
            f.fluid_synth_noteon(self._synth, channel, first, second)
        elif kind in ("note_on", "note_off"):
            f.fluid_synth_noteoff(self._synth, channel, first)
        elif kind == "control_change":
            f.fluid_synth_cc(self._synth, channel, first, second)
        else:
            f.fluid_synth_pitch_bend(self._synth, channel, first)

    def render(self, left: np.ndarray, right: np.ndarray) -> None:
        """Fill two float32 arrays of the same length, a multiple of `BLOCK`, with what sounds now."""
        pointers = [side.ctypes.data_as(_FLOATS) for side in (left, right)]
        self._f._fl.fluid_synth_write_float(
            ctypes.c_void_p(self._synth), len(left), pointers[0], 0, 1, pointers[1], 0, 1
        )

    def close(self) -> None:
        """Free the synth and its font. Closing twice is fine."""
        if self._synth is not None:
            self._f.delete_fluid_synth(self._synth)
            self._f.delete_fluid_settings(self._settings)
            self._synth = None
