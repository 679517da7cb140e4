"""Where SoundFonts are: the piano that ships with the package, files, folders, and names of installed fonts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SUFFIXES = (".sf2", ".sf3")
FONT_FOLDERS = "HFMUSIC_FONTS"  # environment variable: folders that names are looked up in, parted as PATH is
_USUAL = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts")


def shipped_font() -> Path:
    """The SoundFont in the package: program 0 of FluidR3_GM, the papers' font, compressed (sf3, MIT License)."""
    return Path(__file__).parent / "fonts" / "FluidR3_GM" / "000.sf3"


def find_fonts() -> dict[str, Path]:
    """Name -> file or folder of the fonts that are here: those in $HFMUSIC_FONTS, the shipped one, the system's."""
    found: dict[str, Path] = {}
    for path in _candidates():
        found.setdefault(font_name(path), path)
    return found


def _candidates() -> Iterator[Path]:
    own = filter(None, os.environ.get(FONT_FOLDERS, "").split(os.pathsep))
    for folder in (*own, str(shipped_font().parents[1]), *_USUAL):
        for path in sorted(Path(folder).glob("*")):
            if path.suffix.lower() in SUFFIXES or any(path.glob("[0-9][0-9][0-9].sf3")):
                yield path


def find_font(font: str | Path, program: int = 0) -> Path:
    """The file of a font given as a file, as a folder of single programs (000.sf3 ...), or by name.

    Args:
        program: which file of a folder, 0 to 127.

    Raises:
        ValueError: no such font, or a folder without this program; one sentence.
    """
    path = Path(font).expanduser()
    if not path.exists():
        named = [candidate for candidate in _candidates() if font_name(candidate) == str(font)]
        if not named:
            raise ValueError(
                f"no SoundFont {font}: give a .sf2 or .sf3 file, a folder of 000.sf3 files, or one of "
                f"{', '.join(find_fonts())}; {install_advice()[1]}"
            )
        holding = (candidate for candidate in named if candidate.is_file() or _single(candidate, program).is_file())
        path = next(holding, named[0])
    if path.is_dir():
        if not _single(path, program).is_file():
            there = ", ".join(sorted(entry.name for entry in path.iterdir() if entry.suffix in SUFFIXES)) or "no font"
            raise ValueError(f"the folder {path} has no {program:03d}.sf3 for program {program}, only {there}")
        path = _single(path, program)
    if not path.is_file():
        raise ValueError(f"a SoundFont is a file, got {path}")
    return path


def _single(folder: Path, program: int) -> Path:
    return folder / f"{program:03d}.sf3"


def font_name(path: Path) -> str:
    """The name of a font file or folder: its stem, or its folder's where the file is a single program (000.sf3).

    >>> font_name(Path("fonts/FluidR3_GM/000.sf3")), font_name(Path("fonts/FluidR3_GM.sf2"))
    ('FluidR3_GM', 'FluidR3_GM')
    """
    if path.suffix.lower() not in SUFFIXES:
        return path.name
    return path.resolve().parent.name if path.stem.isdigit() else path.stem


@cache
def install_advice() -> tuple[str, str]:
    """How to get FluidSynth's library, and how to get a whole font, on this system."""
    if sys.platform == "darwin":
        library = "brew install fluid-synth"
    elif sys.platform == "win32":
        library = "choco install fluidsynth"
    else:
        library = "apt-get install libfluidsynth3 (Debian, Ubuntu; elsewhere the package is called fluidsynth)"
    font = "FluidR3_GM is Debian's package fluid-soundfont-gm"
    return library, font
