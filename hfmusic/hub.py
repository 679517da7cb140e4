"""Find a model by name: a folder, a model that comes with hfmusic, or one on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from hfmusic.models.processing_ctc import CTCProcessor

_PACKAGE = Path(__file__).parent
# The checkout's model_cards/ in development, the same folder inside an installed wheel.
SHIPPED = (_PACKAGE.parent / "model_cards", _PACKAGE / "_model_cards")


class Loaded(NamedTuple):
    """A model in eval mode and the processor that was saved with it."""

    model: PreTrainedModel
    processor: CTCProcessor


def shipped_models() -> list[str]:
    """Names of the models that come with hfmusic and work offline."""
    found = {config.parent.name for folder in SHIPPED for config in folder.glob("*/config.json")}
    return sorted(found)


def find_model(name: str) -> str:
    """What `from_pretrained` takes: a folder's path, or a Hub repository's name `owner/model`.

    Raises:
        ValueError: no such folder or shipped model, and no Hub name.
    """
    if (Path(name) / "config.json").is_file():
        return str(Path(name))
    for folder in SHIPPED:
        if (folder / name / "config.json").is_file():
            return str(folder / name)
    if Path(name).exists():
        raise ValueError(f"{name}: not a model folder (it has no config.json)")
    if name.count("/") == 1 and all(name.split("/")) and name[0] not in "./~":
        return name
    raise ValueError(
        f"no model {name!r}: give a folder, a Hub name owner/model, or one of {', '.join(shipped_models())}"
    )


def load(name: str = "crnn-omr") -> Loaded:
    """Load a model and its processor; looks for `name` as `find_model` says.

    Raises:
        ValueError: not found, damaged, or not downloadable; one sentence.
    """
    place = find_model(name)
    import transformers

    import hfmusic.models  # noqa: F401  (registers the Auto classes)

    try:
        model = transformers.AutoModelForCTC.from_pretrained(place, use_safetensors=True)
        processor = transformers.AutoProcessor.from_pretrained(place)
    except Exception as error:  # huggingface_hub, safetensors and transformers raise a dozen kinds of their own
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"model {name!r} cannot be loaded: {first}") from error
    return Loaded(model.eval(), processor)
