"""What files and models a user names: pictures or recordings, and which model takes which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from hfmusic.hub import Loaded, load, shipped_models

Kind = Literal["image", "audio"]
Role = Literal["image", "audio", "notes"]  # "audio": the melody of a recording, "notes": all notes of one
ModelChoice = str | Loaded | Sequence[str | Loaded] | None

DEFAULT_MODELS: dict[Role, str] = {"image": "r2crnn-omr-semantic", "audio": "crnn-amt", "notes": "unet-transcriber"}
PIANO_MODEL = "unet-transcriber-piano"  # instead of it, where an instrument was named and is a piano
WORDS: dict[Kind, str] = {"image": "picture", "audio": "recording"}
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pdf"}
SOUNDS = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"}
SOUNDS |= {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mov", ".3gp", ".amr"}
SOUNDS |= {".mkv", ".m4v", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv"}
WRITTEN = (".roll.png", ".transcribed.wav")  # what hfmusic writes beside a recording is not read with its folder


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
            listed = (inside for inside in file.iterdir() if inside.suffix.lower() in PICTURES | SOUNDS)
            yield from sorted(inside for inside in listed if not inside.name.endswith(WRITTEN))
        else:
            yield file


def roles_of(loaded: Loaded) -> tuple[Role, ...]:
    """What a model does: reads pictures, hears a melody, or hears all notes."""
    if hasattr(loaded.processor, "transcribe"):
        return ("notes",)
    return tuple(kind for kind in WORDS if kind in loaded.processor.modalities)


class Models:
    """The models for a job: those that were chosen, and the default one for a kind that none of them takes.

    Args:
        chosen: names or paths as `hfmusic.load` takes, or what it returned; None: the defaults.
        kinds: the kinds of files in this job.
        piano: all notes are heard by default with the model for pianos, where it comes with hfmusic.

    Raises:
        ValueError: a model that cannot be loaded, or chosen models that take none of the kinds.
    """

    def __init__(self, chosen: ModelChoice, kinds: Iterable[Kind], *, piano: bool = False) -> None:
        self._defaults = DEFAULT_MODELS | ({"notes": PIANO_MODEL} if piano and PIANO_MODEL in shipped_models() else {})
        listed = [] if chosen is None else [chosen] if isinstance(chosen, str | Loaded) else list(chosen)
        self._loaded: dict[Role, Loaded] = {}
        taken: set[str] = set()
        for one in listed:
            loaded = load(one) if isinstance(one, str) else one
            taken |= set(loaded.processor.modalities)
            for role in roles_of(loaded):
                self._loaded.setdefault(role, loaded)
        self._chosen = frozenset(self._loaded)
        wanted = set(kinds)
        if listed and wanted and not wanted & taken:
            raise ValueError(
                f"the model takes {' and '.join(sorted(taken))}, what was given is "
                f"{' and '.join(f'a {WORDS[kind]}' for kind in sorted(wanted))}"
            )

    def offers(self, role: Role) -> bool:
        """Whether there is a model for a role: one that was chosen, or, where none was chosen for recordings (for
        pictures), one that comes with hfmusic."""
        if role in self._chosen:
            return True
        recordings: set[Role] = {"audio", "notes"}
        alike = recordings if role in recordings else {role}
        return not alike & self._chosen and self._defaults[role] in shipped_models()

    def of(self, role: Role) -> Loaded:
        """The model for a role; the default one is loaded when it is first asked for.

        Raises:
            ValueError: models were chosen for recordings, and they hear one voice where many are wanted, or many
                where one is.
        """
        if role not in self._loaded:
            if role != "image" and {"audio", "notes"} & self._chosen:
                heard, wanted = ("one voice", "many") if role == "notes" else ("many voices", "one")
                raise ValueError(f"the model hears {heard}, voices are to be {wanted}: choose another, or none")
            self._loaded[role] = load(self._defaults[role])
        return self._loaded[role]
