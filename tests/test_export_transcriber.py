"""The exported polyphonic transcriber hears what the torch model hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hfmusic.export import TOLERANCE, export
from hfmusic.hub import load
from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.processing_unet_transcriber import TranscriberProcessor
from hfmusic.runtime import OnnxTranscriber

CONFIGS = {
    "heads": UNetTranscriberConfig(channels=[4, 5, 6], blocks=[1, 1, 1], hidden_size=3),
    "paper": UNetTranscriberConfig.paper(channels=[2, 3, 4, 5], hidden_size=6),
}


@pytest.fixture(params=CONFIGS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A saved network whose batch norms have seen something, exported."""
    config = CONFIGS[request.param]
    torch.manual_seed(0)
    model = UNetTranscriber(config)
    model.train()(torch.rand(2, 1, 64, config.n_bins))
    model.eval().save_pretrained(tmp_path / "model")
    TranscriberProcessor.for_config(config).save_pretrained(tmp_path / "model")
    assert 0 <= export(str(tmp_path / "model"))["difference"] <= TOLERANCE
    return tmp_path / "model"


def test_it_gives_what_torch_gives_and_is_what_load_takes(folder: Path) -> None:
    network, processor = load(str(folder))
    plain = load(str(folder), runtime="torch").model
    assert isinstance(network, OnnxTranscriber) and isinstance(plain, UNetTranscriber)
    for lengths in ((1,), (33,), (50, 7, 64)):  # also no multiple of the network's strides
        mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
        features = torch.rand(len(lengths), 1, max(lengths), plain.config.n_bins)
        with torch.inference_mode():
            wanted = plain(features, mask)
        found = network(features, mask)
        assert found.lengths.tolist() == wanted.lengths.tolist() == list(lengths)
        for name in plain.config.heads:
            assert found.logits[name].shape == (len(lengths), max(lengths), 88)
            for row, length in enumerate(lengths):
                torch.testing.assert_close(
                    found.logits[name][row, :length], wanted.logits[name][row, :length], atol=1e-4, rtol=0
                )
    sound = np.sin(np.arange(32000) * 0.2).astype(np.float32)
    heard, expected = (processor.maps(one, sound) for one in (network, plain))
    assert all(np.allclose(heard[name], expected[name], atol=1e-4) for name in plain.config.heads)


def test_wrong_inputs_get_a_sentence(folder: Path) -> None:
    network = load(str(folder)).model
    bins = network.config.n_bins
    for features, options, message in (
        (torch.zeros(1, 1, 8, bins - 1), {}, rf"must be \(B, 1, T, {bins}\), got \(1, 1, 8, {bins - 1}\)"),
        (torch.zeros(1, 1, 0, bins), {}, "at least one frame is needed"),
        (torch.zeros(1, 1, 8, bins), {"attention_mask": torch.ones(1, 7)}, r"attention_mask must be \(1, 8\)"),
        (torch.zeros(1, 1, 8, bins), {"labels": {}}, "an exported network has no loss"),
    ):
        with pytest.raises(ValueError, match=message):
            network(features, **options)
