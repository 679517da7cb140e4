"""`pipeline("optical-music-recognition", model=...)`: staff pictures in, tokens out."""

from __future__ import annotations

import os
from typing import Any

from transformers import Pipeline

TASK = "optical-music-recognition"


class OpticalMusicRecognitionPipeline(Pipeline):
    """Reads staff pictures: files, PIL images or pixel arrays, one or a list.

    Gives for each a dict: `text` (tokens separated by tabs), `tokens`, `confidences` and `spans` (left, right: pixels
    of the picture), one entry a token. `method="beam"` searches with the language model, if the model has one. A
    picture that cannot be read raises ValueError. Pictures run one by one (`batch_size` 1).
    """

    # transformers declares these as None
    _load_processor = True  # type: ignore[assignment]
    _load_tokenizer = False  # type: ignore[assignment]
    _load_image_processor = False  # type: ignore[assignment]
    _load_feature_extractor = False  # type: ignore[assignment]
    processor: Any

    def _sanitize_parameters(self, method: str | None = None, **options: Any) -> tuple[dict, dict, dict]:
        return {}, {}, options if method is None else {"method": method, **options}

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        return dict(self.processor(images=input_, return_tensors="pt"))

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> Any:
        return {"logits": self.model(**input_tensors).logits, "inputs": input_tensors}

    def postprocess(self, model_outputs: dict[str, Any], **options: Any) -> dict[str, Any]:
        (result,) = self.processor.decode(model_outputs["logits"], model_outputs["inputs"], **options)
        return {
            "text": "\t".join(result.tokens),
            "tokens": result.tokens,
            "confidences": result.confidences,
            "spans": result.spans,
        }

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """Model, processor and code, for `pipeline(model=DIR, trust_remote_code=True)` anywhere."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory, **kwargs)
