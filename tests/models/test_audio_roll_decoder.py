"""The decoder from the space of audio and rolls to rolls: shapes, its loss by hand, four windows learned by heart."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_audio_roll_decoder import MAPS, RollDecoderConfig
from hfmusic.models.modeling_audio_roll_decoder import RollDecoder, RollHead
from hfmusic.models.processing_audio_roll import AudioRollProcessor

TOWER = {"channels": [4, 8], "pools": [[2, 2], [2, 2]], "convolutions": [1, 1], "head": "flatten", "head_channels": 8}
TINY = {"audio_tower": TOWER, "score_tower": TOWER, "embedding_size": 16, "decoder_channels": [16, 12, 8, 8, 8]}


def tiny(**options: Any) -> RollDecoder:
    torch.manual_seed(0)
    return RollDecoder(RollDecoderConfig(**{**TINY, **options}))


def windows(count: int = 4) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Spectra that show the rolls' keys, the rolls, and what is to be decoded."""
    rng = np.random.default_rng(0)
    maps = {name: torch.zeros(count, 128, 24) for name in MAPS}
    for number in range(count):
        for _ in range(3):
            pitch, start = int(rng.integers(40, 90)), int(rng.integers(0, 16))
            maps["frame"][number, pitch, start : start + 8] = 1
            maps["onset"][number, pitch, start] = 1
            maps["velocity"][number, pitch, start] = float(rng.uniform(0.3, 0.9))
    rolls = (maps["frame"] + maps["onset"])[:, None] / 2
    return maps["frame"].transpose(1, 2)[:, None], rolls, maps


def test_it_decodes_audio_and_embeds_both() -> None:
    model, (features, rolls, _) = tiny().eval(), windows()
    with torch.inference_mode():
        output = model(features)
        assert {name: tuple(one.shape) for name, one in output.probabilities().items()} == dict.fromkeys(
            MAPS, (4, 128, 24)
        )
        assert torch.equal(output.logits["frame"], model(features).logits["frame"])
        assert torch.allclose(output.audio_embeds, model.get_audio_features(features), atol=1e-6)
        assert torch.allclose(model.get_score_features(rolls).norm(dim=1), torch.ones(4))
    four = RollDecoder(RollDecoderConfig(**{**TINY, "beats": 4, "frames": 48})).eval()
    assert four(torch.rand(1, 1, 48, 128)).logits["onset"].shape == (1, 128, 96)


def test_the_recommended_one_has_the_spaces_shape() -> None:
    config = RollDecoderConfig()
    assert (config.audio_size, config.score_size) == ((24, 128), (128, 24))
    assert AudioRollProcessor.for_config(config).score_size == (128, 24)
    with torch.device("meta"):
        count = sum(weights.numel() for weights in RollDecoder(config).parameters())
    assert count < 4_000_000


def test_the_loss_is_the_sum_of_its_weighted_parts_by_hand() -> None:
    model, (features, rolls, labels) = tiny().eval(), windows()
    with torch.no_grad():
        model.decoder.head.weight.zero_()
        model.log_variance["audio"].weight.zero_()
        model.log_variance["audio"].bias.fill_(1.0)
        model.log_variance["score"].weight.zero_()
        model.log_variance["score"].bias.fill_(1.0)
        output = model(features, rolls, labels)
        codes = torch.stack([model.audio_codes(features), model.score_codes(rolls)])
    share, weight, prior = float(labels["frame"].mean()), model.config.positive_weight, model.config.head_prior
    silence = -math.log(1 - prior) * (1 - share) - weight * math.log(prior) * share
    assert float(output.losses["frame"]) == pytest.approx(silence, rel=1e-4)
    loud = labels["velocity"][labels["onset"] > 0]
    assert float(output.losses["velocity"]) == pytest.approx(float(((loud - prior) ** 2).mean()), rel=1e-4)
    assert float(output.losses["kl"]) == pytest.approx(0.5 * float((codes**2).mean() + math.e - 2), rel=1e-4)
    total = sum(float(output.losses[name]) * weight for name, weight in model.config.loss_weights.items())
    assert float(output.loss) == pytest.approx(total, rel=1e-5)


def test_it_draws_while_it_learns_and_gradients_reach_everything() -> None:
    model, (features, rolls, labels) = tiny(), windows()
    losses = []
    for _ in range(2):
        output = model(features, rolls, labels)
        losses.append(output.losses["frame"].item())
    assert losses[0] != losses[1]
    output.loss.backward()
    silent = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert silent == []
    assert tiny(loss_weights={"matching": 1.0})(features, rolls, labels).loss.item() > 0


def test_it_learns_four_windows_by_heart() -> None:
    model, (features, rolls, labels) = tiny(), windows()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(160):
        optimizer.zero_grad()
        model(features, rolls, labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        output = model(features, rolls, labels)
    found = output.probabilities()
    for name in ("frame", "onset"):
        hits = ((found[name] > 0.5) & (labels[name] > 0.5)).sum()
        wrong = ((found[name] > 0.5) != (labels[name] > 0.5)).sum()
        assert 2 * hits / (2 * hits + wrong) > 0.9, name
    assert output.logits_per_audio.argmax(dim=1).tolist() == [0, 1, 2, 3]
    begins = labels["onset"] > 0
    assert (found["velocity"] - labels["velocity"])[begins].abs().mean() < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tiny(score_input="image"), "score_input of a decoder of rolls must be 'roll'"),
        (lambda: tiny(projection="cca"), "projection of a decoder of rolls must be 'none'"),
        (lambda: tiny(steps_per_beat=12), "multiple of 8 steps, got 12"),
        (lambda: tiny(decoder_channels=[4, 4]), "five positive numbers"),
        (lambda: tiny(loss_weights={"pitch": 1.0}), "loss_weights must be of .*, got pitch"),
        (lambda: tiny(head_prior=1.0), "head_prior must be 0 to 1"),
        (lambda: tiny()(torch.rand(1, 1, 9, 128)), r"input_features must be \(B, 1, 24, 128\)"),
        (lambda: tiny()(torch.rand(1, 1, 24, 128), labels=windows(1)[2]), "needs a roll for each excerpt"),
        (lambda: tiny()(*windows(2)[:2], windows(3)[2]), r"labels of frame must be \(2, 128, 24\), got \(3, 128, 24\)"),
    ],
)
def test_what_does_not_fit_says_so(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, numpy as np, torch
from transformers import AutoModel, AutoProcessor
folder, = sys.argv[1:]
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
inputs = processor(audio=np.sin(np.linspace(0, 3000, 9000)), return_tensors="pt")
with torch.inference_mode():
    logits = model(**inputs).logits["frame"]
print(json.dumps([logits.tolist(), type(model).__module__]))
"""


def test_it_saves_loads_and_runs_where_hfmusic_is_not(tmp_path: Path) -> None:
    model, folder = tiny().eval(), tmp_path / "model"
    assert any(isinstance(part, RollHead) and bool((part.bias < -3).all()) for part in model.modules())
    model.save_pretrained(folder)
    AudioRollProcessor.for_config(model.config).save_pretrained(folder)
    loaded, processor = AutoModel.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    inputs = processor(audio=np.sin(np.linspace(0, 3000, 9000)), return_tensors="pt")
    with torch.inference_mode():
        wanted = model(**inputs).logits["frame"]
        assert torch.equal(loaded.eval()(**inputs).logits["frame"], wanted)
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(folder)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    logits, module = json.loads(done.stdout.splitlines()[-1])
    assert np.allclose(logits, wanted.tolist(), atol=1e-4) and module.startswith("transformers_modules.")
