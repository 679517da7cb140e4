"""A front that learns from a trained network's front."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.training.config import load_recipe
from hfmusic.training.imitation import check_teacher, imitation_loss
from hfmusic.training.loop import Training

SMALL = {"vocab_size": 5, "input_height": 8, "conv_channels": [4, 4], "conv_kernels": [[3, 3]] * 2, "hidden_size": 6}


def network(**changes: Any) -> CRNNForCTC:
    torch.manual_seed(0)
    return CRNNForCTC(CRNNConfig(**{**SMALL, "pool_sizes": [[2, 2], [2, 1]], **changes})).eval()


def inputs(batch: int = 3, width: int = 20) -> dict[str, Any]:
    features = torch.rand(batch, 1, 8, width, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(batch, width, dtype=torch.long)
    mask[1, width // 2 :] = 0
    return {"input_features": features * mask[:, None, None], "attention_mask": mask, "modality": "image"}


def test_a_copy_of_the_teacher_misses_nothing() -> None:
    teacher = network()
    assert imitation_loss(teacher, teacher, inputs()).item() == 0
    wanted = teacher.crnn.fronts["image"]
    other = network()
    with torch.no_grad():  # a front that gives 0 misses the frames' mean too
        other.crnn.fronts["image"].blocks[-1].norm.weight.zero_()
        frames = wanted(inputs()["input_features"], torch.tensor([20, 10, 20]))
    real = torch.cat([frames[0], frames[1, :5], frames[2]])
    expected = real.square().mean() / real.var(dim=0, correction=0).mean()
    assert imitation_loss(other, teacher, inputs()).item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_lies_behind_the_real_columns_does_not_count() -> None:
    teacher, student, batch = network(), network(conv_kernels=[[5, 3], [3, 3]]), inputs()
    loss = imitation_loss(student, teacher, batch)
    batch["input_features"][1, :, :, 10:] = 1.0
    torch.testing.assert_close(imitation_loss(student, teacher, batch), loss)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool_sizes": [[2, 2], [2, 2]]}, "width_stride 2 as the network has, got 4"),
        ({"input_height": 16}, "input_height 8 as the network has, got 16"),
        ({"conv_channels": [4, 6]}, "frames of 8 features, it gives 12"),
        ({"modalities": ["audio"]}, "must take image, it takes audio"),
    ],
)
def test_a_teacher_of_other_frames_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_teacher(network(), network(**changes))


def test_a_recipe_imitates_first_and_spells_then(recipe: Any) -> None:
    teacher = Training(load_recipe(recipe("teacher", max_steps=2, validation=[]))).run() / "model"
    path = recipe("student", validation=[], imitate={"source": str(teacher), "share": 0.5})
    training = Training(load_recipe(path))
    before = {name: value.clone() for name, value in training.plain_model.state_dict().items()}
    step, seen = training._step, []

    def watch(batch: dict[str, Any]) -> None:
        step(batch)
        now = training.plain_model.state_dict()
        seen.append({name for name, value in now.items() if not torch.equal(value, before[name])})

    training._step = watch  # type: ignore[method-assign]
    training.run()
    assert len(seen) == 12
    assert all(name.startswith("crnn.fronts.") for name in seen[5]) and seen[5]
    assert any(name.startswith("crnn.recurrent.") for name in seen[6])


def test_the_share_of_imitation_is_a_part(recipe: Any) -> None:
    with pytest.raises(ValueError, match=r"imitate\.share must be between 0 and 1, got 1\.0"):
        load_recipe(recipe("all", imitate={"source": "model_cards/crnn-omr", "share": 1.0}))
    with pytest.raises(ValueError, match=r"imitate\.source must be a model folder or a Hub name, got 'nowhere'"):
        Training(load_recipe(recipe("none", imitate={"source": "nowhere"})))
