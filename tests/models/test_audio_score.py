"""The two-tower embedding: sizes of the papers, canonical correlation, losses, learning by heart, saving."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.canonical_correlation import CanonicalCorrelation, canonical_directions
from hfmusic.models.configuration_audio_score import AudioScoreConfig
from hfmusic.models.modeling_audio_score import AudioScoreModel, info_nce, ranking_loss

SMALL = {"channels": [4, 8], "pools": [[2, 2], [2, 2]], "convolutions": [1, 1]}


def small_config(**options: Any) -> AudioScoreConfig:
    snippets = {"image_height": 24, "image_width": 32, "image_scale": 0.5}
    sizes = {"frames": 8, "bands": 12, "embedding_size": 6, **snippets}
    towers = {"audio_tower": {**SMALL, "head": "flatten"}, "score_tower": {**SMALL, "head": "flatten"}}
    return AudioScoreConfig(**{**sizes, **towers, **options})


def pairs(config: AudioScoreConfig, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = (config.audio_size, config.score_size)
    audio, score = (torch.rand(count, 1, *size, generator=generator) for size in sizes)
    return audio, score


def parameters(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def test_parameters_are_the_papers() -> None:
    with torch.device("meta"):
        for config, count in ((AudioScoreConfig.paper(), 83_884), (AudioScoreConfig.public(), 331_000)):
            model = AudioScoreModel(config)
            assert parameters(model.audio_tower) == parameters(model.score_tower) == count
            assert parameters(model) == 2 * count  # CCA has none
        assert parameters(AudioScoreModel(AudioScoreConfig.paper(projection="linear"))) == 2 * (83_884 + 33 * 32)
        assert parameters(AudioScoreModel(AudioScoreConfig.recommended())) < 2_000_000


def test_maps_are_the_papers() -> None:
    paper, public = AudioScoreConfig.paper(), AudioScoreConfig.public()
    assert (paper.score_size, public.score_size, paper.audio_size) == ((180, 200), (80, 100), (42, 92))
    assert [sizes.map_size(*shape) for sizes, shape in paper.towers.values()] == [(2, 5), (11, 12)]
    assert [sizes.map_size(*shape) for sizes, shape in public.towers.values()] == [(2, 5), (5, 6)]


@pytest.mark.parametrize("name", ["paper", "public", "recommended"])
def test_towers_give_the_maps_that_the_config_tells(name: str) -> None:
    config = getattr(AudioScoreConfig, name)()
    model = AudioScoreModel(config).eval()
    audio, score = pairs(config, 1)
    with torch.inference_mode():
        assert model.audio_tower.body(audio).shape[2:] == config.towers["audio"][0].map_size(*config.audio_size)
        assert model.score_tower.body(score).shape[2:] == config.towers["score"][0].map_size(*config.score_size)
        output = model(audio, score)
    assert output.audio_embeds.shape == output.score_embeds.shape == (1, config.embedding_size)


@pytest.mark.parametrize("projection", ["cca", "linear", "none"])
@pytest.mark.parametrize("loss", ["ranking", "info_nce"])
def test_vectors_have_length_one_and_gradients_reach_everything(projection: str, loss: str) -> None:
    torch.manual_seed(0)
    config = small_config(projection=projection, loss=loss)
    model = AudioScoreModel(config).train()
    audio, score = pairs(config, 12)
    output = model(audio, score, return_loss=True)
    output.loss.backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and torch.isfinite(value.grad).all(), name
    for embeds in (output.audio_embeds, output.score_embeds):
        assert torch.allclose(embeds.norm(dim=1), torch.ones(12), atol=1e-5)
    assert output.logits_per_audio.shape == (12, 12)
    model.eval()
    with torch.inference_mode():
        whole = model(audio, score)
        assert torch.allclose(model.get_audio_features(audio[:5]), whole.audio_embeds[:5], atol=1e-5)
        assert torch.allclose(model.get_score_features(score[:5]), whole.score_embeds[:5], atol=1e-5)
        fewer = model(audio[:3], score)
    assert fewer.logits_per_audio.shape == (3, 12) and whole.loss is None


def test_the_ranking_loss_is_that_of_the_papers_code() -> None:
    perfect, same = torch.eye(5), torch.ones(5, 5)
    assert ranking_loss(perfect, 0.7) == 0
    assert ranking_loss(same, 0.7) == pytest.approx(0.7)
    rows = torch.tensor([[0.9, 0.5], [0.1, 0.6]])  # misses 0.7 - 0.9 + 0.5 and 0.7 - 0.6 + 0.1
    assert ranking_loss(rows, 0.7) == pytest.approx((0.3 + 0.2) / 2)
    assert ranking_loss(torch.ones(1, 1), 0.7) == 0


def test_the_ranking_loss_compares_scores_with_audio() -> None:
    """Its rows are snippets: a vector of audio that is near all of them costs more than a snippet near all audio."""
    model = AudioScoreModel(small_config(loss="ranking", margin=0.1))
    logits = torch.tensor([[0.5, 0.9], [0.5, 0.9]])  # rows excerpts, columns snippets
    assert model._loss(logits) == pytest.approx(0.1)
    assert ranking_loss(logits, 0.1) == pytest.approx(0.5 / 2)


def test_cross_entropy_goes_both_ways() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    rows = [np.log(1 + np.exp(-2)), np.log(2)]
    columns = [np.log(1 + np.exp(-1)), np.log(1 + np.exp(-1))]
    assert info_nce(logits).item() == pytest.approx((np.mean(rows) + np.mean(columns)) / 2, rel=1e-5)
    model = AudioScoreModel(small_config(temperature=0.25))
    assert model.scale.item() == pytest.approx(4)
    with torch.no_grad():
        model.log_scale.fill_(9.0)
    assert model.scale.item() == pytest.approx(100)
    assert AudioScoreModel(small_config(temperature=0.25, learned_temperature=False)).scale == 4


def correlated(count: int = 400, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Codes of which four mixed axes correlate by these amounts."""
    rng = np.random.default_rng(seed)
    amounts = np.array([0.2, 0.5, 0.7, 0.95])
    one, other = rng.standard_normal((2, count, 4))
    other = amounts * one + np.sqrt(1 - amounts**2) * other
    mixed = one @ rng.standard_normal((4, 4)) + 3, other @ rng.standard_normal((4, 4)) - 1
    return torch.from_numpy(mixed[0]), torch.from_numpy(mixed[1]), amounts


def test_canonical_correlation_finds_what_was_mixed() -> None:
    audio, score, amounts = correlated(20_000)
    found = canonical_directions(audio, score, 1e-9)
    projected = (audio - found.audio_mean) @ found.audio, (score - found.score_mean) @ found.score
    assert torch.allclose(projected[0].T @ projected[0] / 19_999, torch.eye(4, dtype=torch.float64), atol=1e-6)
    together = projected[0].T @ projected[1] / 19_999
    assert torch.allclose(together, torch.diag(together.diagonal()), atol=1e-6)
    assert np.allclose(together.diagonal().numpy(), amounts, atol=0.02)  # positive: signs are turned


def test_gradients_of_canonical_correlation_are_right() -> None:
    audio, score, _ = correlated(30)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((30, 30)))

    def similarities(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        found = canonical_directions(one, other)
        here, there = (one - found.audio_mean) @ found.audio, (other - found.score_mean) @ found.score
        return (nn.functional.normalize(here, dim=1) @ nn.functional.normalize(there, dim=1).T * weights).sum()

    inputs = (audio.requires_grad_(), score.requires_grad_())
    assert torch.autograd.gradcheck(similarities, inputs, rtol=1e-3, atol=1e-5)


def test_gradients_stay_finite_where_correlations_meet() -> None:
    """Codes without variance, and axes that correlate alike."""
    audio = torch.randn(16, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    audio[:, 3:] = 0
    audio, score = audio.requires_grad_(), audio.detach().clone().requires_grad_()
    found = canonical_directions(audio, score)
    (((audio - found.audio_mean) @ found.audio) * ((score - found.score_mean) @ found.score)).sum().backward()
    for gradient in (audio.grad, score.grad):
        assert gradient is not None and torch.isfinite(gradient).all() and gradient.abs().max() < 1e4


def test_canonical_correlation_keeps_the_batch_and_then_the_sample() -> None:
    audio, score, _ = correlated(64)
    layer = CanonicalCorrelation(4).train()
    trained = layer(audio.float(), score.float())
    layer.eval()
    again = layer(audio.float(), score.float())
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(trained, again, strict=True))
    more, others, _ = correlated(2000, seed=1)
    layer.refit(more, others)
    assert torch.allclose(layer.audio_mean, more.mean(dim=0).float())
    assert not torch.allclose(layer(audio, score)[0], trained[0], atol=1e-2)


@pytest.mark.parametrize("projection", ["none", "cca"])
def test_similarities_are_exact_where_networks_compute_in_less(projection: str) -> None:
    config = small_config(projection=projection, loss="info_nce")
    model = AudioScoreModel(config).eval()
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        output = model(*pairs(config, 4))
    assert output.logits_per_audio.dtype == output.audio_embeds.dtype == torch.float32
    with torch.inference_mode():
        assert torch.equal(output.logits_per_audio, output.audio_embeds @ output.score_embeds.T * model.scale)


def test_a_model_is_refitted_with_codes() -> None:
    torch.manual_seed(0)
    config = small_config(projection="cca")
    model = AudioScoreModel(config).eval()
    audio, score = pairs(config, 40)
    with torch.inference_mode():
        model.refit_cca(model.audio_codes(audio), model.score_codes(score))
        embeds = model.projections.audio(model.audio_codes(audio))
    assert torch.allclose(embeds.mean(dim=0), torch.zeros(6), atol=1e-4)
    for call, message in (
        (lambda: model.refit_cca(torch.zeros(6, 6), torch.zeros(6, 6)), r"codes \(n, 6\) with n above 6, got \(6, 6\)"),
        (lambda: canonical_directions(torch.zeros(9, 6), torch.zeros(8, 6)), "needs two sets of codes"),
        (lambda: AudioScoreModel(small_config()).refit_cca(audio, score), "only projection cca can be refitted"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("options", [{}, {"projection": "cca", "loss": "ranking"}])
def test_learns_pairs_by_heart(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    config = small_config(**options)
    model = AudioScoreModel(config).train()
    audio, score = pairs(config, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        model(audio, score, return_loss=True).loss.backward()
        optimizer.step()
    with torch.inference_mode():
        logits = model(audio, score).logits_per_audio
    own = torch.arange(16)
    assert (logits.argmax(dim=0) == own).sum() >= 15 and (logits.argmax(dim=1) == own).sum() >= 15


def test_pictures_can_be_inverted_and_standardised() -> None:
    config = small_config(score_tower={**SMALL, "invert": True}, audio_tower={**SMALL, "standardise": True})
    model, plain = AudioScoreModel(config).eval(), AudioScoreModel(small_config(score_tower=SMALL)).eval()
    plain.score_tower.load_state_dict(model.score_tower.state_dict())
    audio, score = pairs(config, 2)
    with torch.inference_mode():
        assert torch.allclose(model.score_codes(score), plain.score_codes(1 - score), atol=1e-6)
        assert torch.allclose(model.audio_codes(audio * 3 + 5), model.audio_codes(audio), atol=1e-4)
        quiet = model.audio_codes(audio * 1e-3)
        assert not torch.allclose(quiet, model.audio_codes(audio), atol=1e-2)  # noise of silence is not blown up


@pytest.mark.parametrize("options", [{}, {"projection": "cca", "loss": "ranking"}])
def test_saves_and_loads(options: dict[str, Any], tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    config = small_config(margin=1, **options)
    model = AudioScoreModel(config).train()
    audio, score = pairs(config, 12)
    model(audio, score)
    model.eval().save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).to_diff_dict() == model.config.to_diff_dict()
    loaded = AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, AudioScoreModel) and not loaded.training
    assert torch.equal(loaded(audio, score).logits_per_audio, model(audio, score).logits_per_audio)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AudioScoreConfig(loss="other"), "loss must be one of ranking, info_nce, got 'other'"),
        (lambda: AudioScoreConfig(projection="pca"), "projection must be one of cca, linear, none"),
        (lambda: AudioScoreConfig(score_input="midi"), "score_input must be one of image, roll"),
        (lambda: AudioScoreConfig(frames=0), "frames must be positive, got 0"),
        (lambda: AudioScoreConfig.paper(frames=15), "nothing is left of 15 x 92 after the pooling of the audio tower"),
        (lambda: AudioScoreConfig(audio_tower={"width": 3}), "audio_tower has the options channels, .*, got width"),
        (lambda: AudioScoreConfig(audio_tower={"channels": [3]}), "pools and convolutions must be one a block"),
        (lambda: AudioScoreConfig(audio_tower={"kernel": 4}), "kernels must be odd, got 4"),
        (
            lambda: AudioScoreConfig(audio_tower={"head": "max"}),
            "its head one of average, flatten, got 'elu' and 'max'",
        ),
        (lambda: AudioScoreConfig(audio_tower={"stem_stride": [2]}), r"must be \[rows, columns\], at least 1"),
        (lambda: AudioScoreConfig(audio_tower={"head_channels": 0}), "channels and convolutions must be positive"),
        (lambda: AudioScoreConfig(audio_tower={"dropout": 1.0}), "dropout must be 0 to 1"),
    ],
)
def test_bad_configs_say_what_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_inputs_say_what_is_wrong() -> None:
    config = small_config()
    model = AudioScoreModel(config)
    audio, score = pairs(config, 4)
    for inputs, message in (
        ((audio[:, 0], score), r"input_features must be \(B, 1, 8, 12\), got \(4, 8, 12\)"),
        ((audio, score[:, :, 1:]), r"pixel_values must be \(B, 1, 12, 16\), got \(4, 1, 11, 16\)"),
        ((audio[:0], score), "input_features must be"),
    ):
        with pytest.raises(ValueError, match=message):
            model(*inputs)
    with pytest.raises(ValueError, match="as many excerpts as snippets, got 3 and 4"):
        model(audio[:3], score, return_loss=True)
