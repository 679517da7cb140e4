"""transkun as its own command runs it. It hears keys and pedals apart: notes end where keys are released, as they do in
the labels of MAPS, whatever the pedal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from loop import Note, Transcriber, run


def load(options: dict[str, Any]) -> Transcriber:
    import moduleconf
    import soxr
    import torch
    import transkun
    from transkun.transcribe import readAudio

    torch.set_num_threads(options["threads"])
    torch.set_grad_enabled(False)
    weights = os.path.join(os.path.dirname(transkun.__file__), "pretrained", "2.0")
    parts = moduleconf.parseFromFile(f"{weights}.conf")["Model"]
    model = parts.module.TransKun(conf=parts.config)
    saved = torch.load(f"{weights}.pt", map_location="cpu")
    model.load_state_dict(saved.get("best_state_dict", saved.get("state_dict")), strict=False)
    model.eval()

    def transcribe(sound: str) -> Iterator[Note]:
        rate, samples = readAudio(sound)
        if rate != model.fs:
            samples = soxr.resample(samples, rate, model.fs)
        events = model.transcribe(torch.from_numpy(samples), discardSecondHalf=False)
        for event in events:
            if event.pitch > 0:  # pedals have negative ones
                yield event.start, event.end, event.pitch, event.velocity

    return transcribe


run(load)
