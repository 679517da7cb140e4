"""Both ends of a CTC model: pictures, sounds and texts to tensors, logits to tokens with their place and confidence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin
from transformers.utils import cached_file

from .bigram import BigramModel
from .ctc_decoding import DecodedSequence, beam_decode, greedy_decode
from .feature_extraction_music import MusicFeatureExtractor, Sound
from .image_processing_staff import Picture, StaffImageProcessor
from .meter_decoding import MeterModel
from .tokenization_ctc import CTCTokenizer

METHODS = ("greedy", "beam", "meter")
_LANGUAGE_MODEL = "language_model.safetensors"
_METER_MODEL = "meter_model.json"
_KINDS = {("image",): "images", ("audio",): "audio", ("image", "audio"): "images or audio"}


@dataclass(frozen=True)
class CTCResult:
    """What was read or heard. `tokens`, `ids`, `confidences` (0..1), `spans` and `frames` have one entry a symbol.

    `spans` are (left, right) in pixels of the picture that was given, or (start, end) in seconds of the sound;
    `frames` (first, last + 1) of the logits. CTC says where a symbol was recognised, which is on it or a little after.
    `score` is the decoder's logarithm.
    """

    tokens: list[str]
    ids: list[int]
    confidences: list[float]
    spans: list[tuple[float, float]]
    frames: list[tuple[int, int]]
    score: float


class CTCProcessor(ProcessorMixin):
    """Image processor, tokenizer and decoder of a CTC model that reads. `language_model`, a `BigramModel`, and
    `meter_model`, a `MeterModel`, are saved with them. Models that hear have the processors below, which differ in
    their parts alone.

    Args:
        beam_width, lm_weight, length_bonus: of method "beam", see `beam_decode`.
    """

    _auto_class = "AutoProcessor"

    def __init__(
        self,
        image_processor: StaffImageProcessor,
        tokenizer: CTCTokenizer,
        beam_width: int = 8,
        lm_weight: float = 0.3,
        length_bonus: float = 0.0,
    ) -> None:
        super().__init__(image_processor, tokenizer)
        self._set_decoder(beam_width, lm_weight, length_bonus)

    def _set_decoder(self, beam_width: int, lm_weight: float, length_bonus: float) -> None:
        self.beam_width, self.lm_weight, self.length_bonus = beam_width, lm_weight, length_bonus
        self.language_model: BigramModel | None = None
        self.meter_model: MeterModel | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """What can be given: "image", "audio" or both."""
        parts = {"image": "image_processor", "audio": "feature_extractor"}
        return tuple(modality for modality, part in parts.items() if hasattr(self, part))

    @property
    def default_method(self) -> str:
        """How `decode` decodes: "meter" with a meter model, else "greedy"."""
        return "greedy" if self.meter_model is None else "meter"

    @property
    def encoding(self) -> str:
        """What the tokens are: "semantic" or "agnostic"."""
        return self.tokenizer.encoding

    @property
    def model_input_names(self) -> list[str]:
        return ["input_features", "attention_mask"]

    def __call__(
        self,
        images: Picture | Sequence[Picture] | None = None,
        text: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
        audio: Sound | Sequence[Sound] | None = None,
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Pictures or sounds, their texts, or both.

        Returns:
            `input_features`, `attention_mask` and `geometry` of the pictures (see `StaffImageProcessor.preprocess`) or
            sounds (see `MusicFeatureExtractor`), and `labels` int64 (B, L), padded with -100, of the texts: the
            arguments of `CRNNForCTC.forward`. With them `modality`, if this processor takes both.

        Raises:
            ValueError: nothing given, pictures and sounds at once, a kind that the model does not take, not as many
                texts, a bad picture or sound, or a token outside the vocabulary.
        """
        if images is None and audio is None and text is None:
            raise ValueError(f"give {_KINDS[self.modalities]}, text or both, got neither")
        if images is not None and audio is not None:
            raise ValueError("give images or audio, one kind at a time, got both")
        data: dict[str, Any] = {}
        if images is not None:
            self._check_takes("image")
            data.update(self.image_processor.preprocess(images))
        elif audio is not None:
            self._check_takes("audio")
            data.update(self.feature_extractor(audio, sampling_rate=sampling_rate))
        if text is not None:
            data["labels"] = self.tokenizer.labels([text] if isinstance(text, str) else text)
        sizes = {name: len(data[name]) for name in ("input_features", "labels") if name in data}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"inputs and text must be as many, got {sizes['input_features']} and {sizes['labels']}")
        batch = BatchFeature(data, tensor_type=return_tensors)
        if len(self.modalities) > 1 and "input_features" in data:
            batch["modality"] = "image" if images is not None else "audio"
        return batch

    def _check_takes(self, modality: str) -> None:
        if modality not in self.modalities:
            raise ValueError(f"this model takes {' and '.join(self.modalities)}, got {modality}")

    def decode(
        self,
        outputs: Any,
        inputs: Mapping[str, Any] | None = None,
        *,
        lengths: Sequence[int] | torch.Tensor | None = None,
        method: str | None = None,
        **options: Any,
    ) -> list[CTCResult]:
        """Logits to tokens.

        Args:
            outputs: what the model returned, or its `logits` (B, T, V+1), tensor or array.
            inputs: what this processor returned: real lengths and where columns lie in the picture. Without it all
                frames (or `lengths`) are read, and `spans` are frames.
            lengths: real frames of each item, instead of `inputs`' mask.
            method: "greedy"; "beam": prefix beam search, with `language_model` if there is one; "meter": the best
                meter and rhythm, with `meter_model`. None: `default_method`.
            options: for "beam": `beam_width`, `lm_weight`, `length_bonus`, `min_log_prob`, `language_model`.

        Raises:
            ValueError: another method, or shapes that do not fit.
        """
        method = method or self.default_method
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        if method != "beam" and options:
            raise ValueError(f"{method} decoding has no options, got {', '.join(options)}")
        if method == "meter" and self.meter_model is None:
            raise ValueError('method "meter" needs a meter model, and this processor has none')
        log_probs = _log_probs(getattr(outputs, "logits", outputs))
        if log_probs.shape[2] != self.tokenizer.blank_id + 1:
            raise ValueError(f"logits must be (B, T, {self.tokenizer.blank_id + 1}), got {log_probs.shape}")
        if lengths is None:
            lengths = _lengths(outputs, inputs, log_probs.shape[:2])
        if len(lengths) != len(log_probs):
            raise ValueError(f"lengths must be {len(log_probs)}, one an item, got {len(lengths)}")
        places = _Places(inputs, log_probs.shape[1])
        results = []
        for item, length in enumerate(lengths):
            real = log_probs[item, : int(length)]
            found = self._decode(real, method, options)
            results.append(self._result(found, places.pixels(item, found.spans)))
        return results

    def _decode(self, log_probs: np.ndarray, method: str, options: dict[str, Any]) -> DecodedSequence:
        if method == "greedy":
            return greedy_decode(log_probs)
        if method == "meter" and self.meter_model is not None:
            return self.meter_model.decode(log_probs, self.tokenizer.tokens)
        names = ("beam_width", "lm_weight", "length_bonus", "language_model")
        return beam_decode(log_probs, **{**{name: getattr(self, name) for name in names}, **options})

    def _result(self, found: DecodedSequence, spans: list[tuple[float, float]]) -> CTCResult:
        tokens = [self.tokenizer.tokens[index] for index in found.ids]
        return CTCResult(tokens, found.ids, found.confidences, spans, found.spans, found.score)

    def batch_decode(self, *args: Any, **kwargs: Any) -> list[CTCResult]:
        """The same as `decode`, which takes batches."""
        return self.decode(*args, **kwargs)

    def fit_language_model(self, texts: Sequence[str | Sequence[str]]) -> BigramModel:
        """Learn which token follows which from training texts, for method "beam"."""
        encoded = (self.tokenizer.encode_tokens(text) for text in texts)
        self.language_model = BigramModel.fit(encoded, self.tokenizer.blank_id)
        return self.language_model

    def fit_meter_model(self, texts: Iterable[str | Sequence[str]]) -> MeterModel:
        """Learn how the rhythms of each meter go from semantic training texts, for method "meter"."""
        self.meter_model = MeterModel.fit(text.split() if isinstance(text, str) else text for text in texts)
        return self.meter_model

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> list[str]:
        """As transformers' processors; the language and meter models go beside."""
        models: dict[str, BigramModel | MeterModel | None]
        models = {_LANGUAGE_MODEL: self.language_model, _METER_MODEL: self.meter_model}
        if push_to_hub and any(models.values()):
            raise ValueError("save to a folder and upload that: push_to_hub would leave the language model behind")
        files = super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)
        for name, model in models.items():
            path = os.path.join(save_directory, name)
            if model is not None:
                model.save(path)
                files = [*files, path]
            elif os.path.exists(path):
                os.remove(path)  # of an earlier save
        return files

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> CTCProcessor:  # type: ignore[override]
        processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        hub = {name: kwargs[name] for name in _HUB_OPTIONS if name in kwargs}
        path = cached_file(pretrained_model_name_or_path, _LANGUAGE_MODEL, **_IF_THERE, **hub)
        if path is not None:
            processor.language_model = BigramModel.load(path)
        path = cached_file(pretrained_model_name_or_path, _METER_MODEL, **_IF_THERE, **hub)
        if path is not None:
            processor.meter_model = MeterModel.load(path)
        return processor


class CTCAudioProcessor(CTCProcessor):
    """`CTCProcessor` of a model that hears: a feature extractor in place of the image processor."""

    def __init__(
        self,
        feature_extractor: MusicFeatureExtractor,
        tokenizer: CTCTokenizer,
        beam_width: int = 8,
        lm_weight: float = 0.3,
        length_bonus: float = 0.0,
    ) -> None:
        ProcessorMixin.__init__(self, feature_extractor, tokenizer)
        self._set_decoder(beam_width, lm_weight, length_bonus)


class CTCImageAudioProcessor(CTCProcessor):
    """`CTCProcessor` of a model that reads and hears."""

    def __init__(
        self,
        image_processor: StaffImageProcessor,
        feature_extractor: MusicFeatureExtractor,
        tokenizer: CTCTokenizer,
        beam_width: int = 8,
        lm_weight: float = 0.3,
        length_bonus: float = 0.0,
    ) -> None:
        ProcessorMixin.__init__(self, image_processor, feature_extractor, tokenizer)
        self._set_decoder(beam_width, lm_weight, length_bonus)


_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")
_IF_THERE: dict[str, Any] = {
    "_raise_exceptions_for_missing_entries": False,
    "_raise_exceptions_for_connection_errors": False,
    "_raise_exceptions_for_gated_repo": False,
}


def make_processor(
    tokens: Sequence[str],
    *,
    encoding: str | None = None,
    modalities: Sequence[str] = ("image",),
    audio: Mapping[str, Any] | None = None,
    **image_options: Any,
) -> CTCProcessor:
    """A processor for a vocabulary and "image", "audio" or both; `image_options` as `StaffImageProcessor` takes them,
    `audio` as `MusicFeatureExtractor` does."""
    tokenizer = CTCTokenizer(tokens=tokens, encoding=encoding)
    if tuple(modalities) == ("image",):
        return CTCProcessor(StaffImageProcessor(**image_options), tokenizer)
    ear = MusicFeatureExtractor(**(audio or {}))
    if tuple(modalities) == ("audio",):
        return CTCAudioProcessor(ear, tokenizer)
    return CTCImageAudioProcessor(StaffImageProcessor(**image_options), ear, tokenizer)


def _log_probs(logits: Any) -> np.ndarray:
    """float32 (B, T, V+1)."""
    tensor = torch.as_tensor(logits)
    if tensor.ndim != 3:
        raise ValueError(f"logits must be (B, T, V+1), got {tuple(tensor.shape)}")
    return tensor.detach().float().log_softmax(-1).cpu().numpy()


def _lengths(outputs: Any, inputs: Mapping[str, Any] | None, shape: tuple[int, ...]) -> Sequence[int]:
    known = getattr(outputs, "output_lengths", None)
    if known is not None:
        return [int(length) for length in known]
    batch, frames = shape
    if inputs is None:
        return [frames] * batch
    real = np.asarray(inputs["attention_mask"]).sum(axis=1)
    return [min(frames, int(columns) // _stride(inputs, frames)) for columns in real]


def _stride(inputs: Mapping[str, Any], frames: int) -> int:
    """Input columns a frame: exact for inputs whose width is a multiple of it, as `pad_multiple` makes them."""
    return max(1, inputs["attention_mask"].shape[1] // max(1, frames))


class _Places:
    """Where frames lie in the pictures of `inputs`; without them, the frames themselves."""

    def __init__(self, inputs: Mapping[str, Any] | None, frames: int) -> None:
        self.geometry = None if inputs is None or "geometry" not in inputs else np.asarray(inputs["geometry"], float)
        self.stride = 1 if inputs is None else _stride(inputs, frames)

    def pixels(self, item: int, frames: list[tuple[int, int]]) -> list[tuple[float, float]]:
        scale, offset = (1.0, 0.0) if self.geometry is None else self.geometry[item]
        return [tuple(float(frame * self.stride / scale + offset) for frame in span) for span in frames]  # type: ignore[misc]
