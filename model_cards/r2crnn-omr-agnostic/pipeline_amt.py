"""`pipeline("automatic-music-transcription", model=...)`: recordings of one voice in, tokens out."""

from __future__ import annotations

from typing import Any

from .pipeline_omr import OpticalMusicRecognitionPipeline

TASK = "automatic-music-transcription"


class AutomaticMusicTranscriptionPipeline(OpticalMusicRecognitionPipeline):
    """Hears recordings: files, arrays (n,) at the model's rate, or {"array", "sampling_rate"} as datasets give them.

    Gives what `OpticalMusicRecognitionPipeline` gives, with `spans` in seconds. The model hears at its own tempo, 120
    quarters a minute for those trained on PrIMuS; `hfmusic transcribe` also finds the tempo of a recording.
    """

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        rate = None
        if isinstance(input_, dict):
            input_, rate = input_["array"], input_.get("sampling_rate")
        return dict(self.processor(audio=input_, sampling_rate=rate, return_tensors="pt"))
