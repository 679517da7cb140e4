"""What files and models a user names: pictures or recordings, and which model takes which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from hfmusic.hub import Loaded, load

Kind = Literal["image", "audio"]
ModelChoice = str | Loaded | Sequence[str | Loaded] | None

DEFAULT_MODELS: dict[Kind, str] = {"image": "crnn-omr", "audio": "crnn-amt"}
WORDS: dict[Kind, str] = {"image": "picture", "audio": "recording"}
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pdf"}
SOUNDS = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"}
SOUNDS |= {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".3gp", ".amr"}


def kind_of(file: str | Path) -> Kind:
    """Picture or recording, by how the file begins, else by its name; what says neither is taken for a picture."""
    from hfmusic.models.audio_reading import is_sound

    heard = is_sound(file)
    if heard is None:
        heard = Path(file).suffix.lower() in SOUNDS
    return "audio" if heard else "image"


def expand(files: Iterable[str | Path]) -> Iterator[Path]:
    """Files in their order; a folder stands for the pictures and recordings in it, by name."""
    for file in map(Path, files):
        if file.is_dir():
            yield from sorted(inside for inside in file.iterdir() if inside.suffix.lower() in PICTURES | SOUNDS)
        else:
            yield file


class Models:
    """The models for a job: those that were chosen, and the default one for a kind that none of them takes.

    Args:
        chosen: names or paths as `hfmusic.load` takes, or what it returned; None: the defaults.
        kinds: the kinds of files in this job.

    Raises:
        ValueError: a model that cannot be loaded, or chosen models that take none of the kinds.
    """

    def __init__(self, chosen: ModelChoice, kinds: Iterable[Kind]) -> None:
        listed = [] if chosen is None else [chosen] if isinstance(chosen, str | Loaded) else list(chosen)
        self._loaded: dict[Kind, Loaded] = {}
        taken: set[str] = set()
        for one in listed:
            loaded = load(one) if isinstance(one, str) else one
            taken |= set(loaded.processor.modalities)
            for kind in DEFAULT_MODELS:
                if kind in loaded.processor.modalities:
                    self._loaded.setdefault(kind, loaded)
        wanted = set(kinds)
        if listed and wanted and not wanted & taken:
            raise ValueError(
                f"the model takes {' and '.join(sorted(taken))}, what was given is "
                f"{' and '.join(f'a {WORDS[kind]}' for kind in sorted(wanted))}"
            )

    def of(self, kind: Kind) -> Loaded:
        """The model that takes a kind; loaded when it is first asked for."""
        if kind not in self._loaded:
            self._loaded[kind] = load(DEFAULT_MODELS[kind])
        return self._loaded[kind]
