"""Find a model by name: a folder, a model that comes with hfmusic, or one on the Hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from hfmusic.models.processing_ctc import CTCProcessor
    from hfmusic.runtime import OnnxNetwork

_PACKAGE = Path(__file__).parent
# The checkout's model_cards/ in development, the same folder inside an installed wheel.
SHIPPED = (_PACKAGE.parent / "model_cards", _PACKAGE / "_model_cards")
TRANSCRIBERS = ("unet_transcriber",)  # model types that give notes: they have no CTC
EMBEDDERS = ("audio_score", "audio_roll_decoder")  # those that give vectors


class Loaded(NamedTuple):
    """A model in eval mode, or its exported network, and the processor that was saved with it (for models of
    `TRANSCRIBERS` a `TranscriberProcessor`, for `EMBEDDERS` an `AudioScoreProcessor`).
    """

    model: PreTrainedModel | OnnxNetwork
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


def load(name: str = "r2crnn-omr-semantic", *, runtime: Literal["torch", "onnx"] | None = None) -> Loaded:
    """Load a model and its processor; looks for `name` as `find_model` says.

    Args:
        runtime: "torch"; or "onnx": the network that `hfmusic export` wrote beside the weights, run by ONNX Runtime.
            None: that, where it is there and of these weights, else torch.

    Raises:
        ValueError: not found, damaged, not downloadable, or not exported; one sentence.
    """
    if runtime not in (None, "torch", "onnx"):
        raise ValueError(f'runtime must be "torch", "onnx" or None, got {runtime!r}')
    place = find_model(name)
    import transformers

    import hfmusic.models  # noqa: F401  (registers the Auto classes)
    from hfmusic.runtime import exported

    try:
        config = transformers.AutoConfig.from_pretrained(place)
        network = None if runtime == "torch" else exported(place, config)
        processor = transformers.AutoProcessor.from_pretrained(place)
        if network is None and runtime != "onnx":
            plain = config.model_type in (*TRANSCRIBERS, *EMBEDDERS)
            auto = transformers.AutoModel if plain else transformers.AutoModelForCTC
            model = auto.from_pretrained(place, use_safetensors=True)
            return Loaded(model.eval(), processor)
    except Exception as error:  # huggingface_hub, safetensors and transformers raise a dozen kinds of their own
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"model {name!r} cannot be loaded: {first}") from error
    if network is None:
        raise ValueError(f"model {name!r} has no network for ONNX Runtime: run `hfmusic export`, with hfmusic[onnx]")
    return Loaded(network, processor)


def model_fingerprint(model: Any, processor: Any) -> str:
    """What tells a model's vectors from others': of its weights, and of the numbers by which its inputs are made."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().float().cpu().contiguous().numpy().tobytes())
    about: dict[str, Any] = getattr(processor, "to_dict", dict)()
    plain = {name: value for name, value in about.items() if isinstance(value, int | float)}
    digest.update(json.dumps(plain, sort_keys=True).encode())
    return digest.hexdigest()[:16]
