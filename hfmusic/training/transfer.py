"""Transfer between networks of one shape (paper 000, section 2.2): blocks are copied by name and frozen by policy.

The blocks of a CRNN, from its input to its output:

    conv1 .. convN   convolution, batch norm and pool of one modality's front
    projection       of the same front, if the network has one
    lstm1 .. lstmM   bidirectional LSTMs
    dense            the output layer, factorised or plain

The paper's network has five layers (conv1, conv2, lstm1, lstm2, dense), and a policy "L:5" freezes the layers L to 5:
it counts from the output. For other depths the five layers are: 5 dense, 4 the last LSTM, 3 the other LSTMs and the
projection, 2 all convolutions but the first, 1 the first convolution.

A frozen block gets no gradients, and its batch norms stay in inference mode, as frozen Keras layers do; dropout after
frozen LSTMs stays on in training, as in the paper's code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hfmusic.files import write_atomic
from hfmusic.training.config import TransferConfig

POLICIES = ("N/A", "5:5", "4:5", "3:5", "2:5")
FRONT = ("conv", "projection")


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """A batch norm that stays in inference mode: `train()` does not wake it. Same weights, same names."""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> FrozenBatchNorm2d:
        """Take over the tensors of `norm`, which hold no gradients from here on."""
        frozen = cls(norm.num_features, eps=norm.eps, momentum=norm.momentum, affine=norm.affine)
        frozen._parameters, frozen._buffers = norm._parameters, norm._buffers
        return frozen.train(False)

    def train(self, mode: bool = True) -> FrozenBatchNorm2d:
        super().train(False)
        return self


@dataclass(frozen=True)
class BlockReport:
    """What was done to a block: `block` is its name (with its modality, where the network has several fronts)."""

    block: str
    parameters: int
    copied: bool = False
    frozen: bool = False


@dataclass(frozen=True)
class TransferReport:
    """All blocks of the target network, from input to output."""

    blocks: tuple[BlockReport, ...]
    source: str = ""
    policy: str = "N/A"

    @property
    def copied(self) -> list[str]:
        return [block.block for block in self.blocks if block.copied]

    @property
    def frozen(self) -> list[str]:
        return [block.block for block in self.blocks if block.frozen]

    def joined(self, other: TransferReport) -> TransferReport:
        """What was copied and frozen in this report or a later one about the same network."""
        pairs = zip(self.blocks, other.blocks, strict=True)
        blocks = (BlockReport(b.block, b.parameters, a.copied or b.copied, a.frozen or b.frozen) for a, b in pairs)
        return TransferReport(tuple(blocks), self.source or other.source, other.policy)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "policy": self.policy,
            "copied": self.copied,
            "frozen": self.frozen,
            "copied_parameters": sum(block.parameters for block in self.blocks if block.copied),
            "frozen_parameters": sum(block.parameters for block in self.blocks if block.frozen),
            "blocks": [asdict(block) for block in self.blocks],
        }

    def save(self, path: Path) -> None:
        """Write `transfer.json`."""
        write_atomic(path, json.dumps(self.as_dict(), indent=2) + "\n")


def named_blocks(model: nn.Module, modality: str | None = None) -> dict[str, nn.Module]:
    """The blocks of a `CRNNForCTC` with the front of one modality (the network's first, if None), input first.

    Raises:
        ValueError: a modality that the network does not take.
    """
    network: Any = model.crnn
    modality = modality or next(iter(network.fronts))
    if modality not in network.fronts:
        raise ValueError(f"modality must be one of {', '.join(network.fronts)}, got {modality!r}")
    front = network.fronts[modality]
    blocks = {f"conv{number}": block for number, block in enumerate(front.blocks, 1)}
    if front.projection is not None:
        blocks["projection"] = front.projection
    blocks |= {f"lstm{number}": layer for number, layer in enumerate(network.recurrent, 1)}
    return blocks | {"dense": model.ctc_head}


def copy_blocks(
    source: nn.Module,
    target: nn.Module,
    blocks: Iterable[str] | None = None,
    *,
    source_modality: str | None = None,
    target_modality: str | None = None,
) -> TransferReport:
    """Copy blocks of a network into another: parameters, and the statistics of batch norms.

    Args:
        source, target: `CRNNForCTC`. Output layers are copied between plain ones.
        blocks: names as `named_blocks` has them; None: all of the target.
        source_modality, target_modality: which fronts are meant, where a network has two (None: its first).

    Raises:
        ValueError: a name that is no block, a block that the source lacks or has in another shape, or `dense` of
            another vocabulary. Nothing is copied then.
    """
    ours, theirs = named_blocks(target, target_modality), named_blocks(source, source_modality)
    wanted = list(ours) if blocks is None else list(blocks)
    for name in wanted:
        if name not in ours:
            raise ValueError(f"a block must be one of {', '.join(ours)}, got {name!r}")
        _check_fits(name, theirs.get(name), ours[name])
    with torch.no_grad():
        for name in wanted:
            ours[name].load_state_dict(theirs[name].state_dict())
    done = {_title(target, name, target_modality) for name in wanted}
    return TransferReport(tuple(BlockReport(name, size, name in done) for name, size in _sizes(target).items()))


def copy_from(source: nn.Module, target: nn.Module, config: TransferConfig, *, vocabulary: str) -> TransferReport:
    """Copy what a recipe's section `transfer` says, between `CRNNForCTC` models with plain output layers.

    Raises:
        ValueError: as `copy_blocks`; or `dense` of a model that was trained on another vocabulary, if its folder tells.
    """
    blocks = list(config.blocks) or None
    theirs = _vocabulary_of(config.source)
    if theirs not in (None, vocabulary) and (blocks is None or "dense" in blocks):
        raise ValueError(
            f"block dense cannot be copied, the vocabularies differ: {theirs} in the source and {vocabulary} here"
        )
    modality = next(iter(source.crnn.fronts))  # type: ignore[union-attr,arg-type]
    ours = modality if modality in target.crnn.fronts else None  # type: ignore[union-attr,operator]
    report = copy_blocks(source, target, blocks, target_modality=ours)
    return replace(report, source=config.source)


def _vocabulary_of(folder: str) -> str | None:
    """The vocabulary in the recipe that lies in a model folder; None where there is none."""
    recipe = Path(folder) / "train_config.json"
    if not recipe.is_file():
        return None
    return json.loads(recipe.read_text(encoding="utf-8")).get("vocabulary")


def freeze(model: nn.Module, policy: str) -> TransferReport:
    """Freeze the layers of a policy in place; with several fronts, those of every front.

    Raises:
        ValueError: a policy that is none of `POLICIES`.
    """
    return freeze_blocks(model, frozen_blocks(list(named_blocks(model)), policy), policy)


def frozen_blocks(names: list[str], policy: str) -> list[str]:
    """Names of the blocks that a policy freezes, of `names` in order from input to output.

    >>> paper = ["conv1", "conv2", "lstm1", "lstm2", "dense"]
    >>> frozen_blocks(paper, "4:5"), frozen_blocks(paper, "2:5")
    (['lstm2', 'dense'], ['conv2', 'lstm1', 'lstm2', 'dense'])
    >>> frozen_blocks(["conv1", "conv2", "conv3", "projection", "lstm1", "lstm2", "dense"], "3:5")
    ['projection', 'lstm1', 'lstm2', 'dense']
    """
    if policy not in POLICIES:
        raise ValueError(f"a freezing policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    if policy == "N/A":
        return []
    last = [name for name in names if name.startswith("lstm")][-1]
    layers = {"dense": 5, last: 4, "conv1": 1}
    layer = {name: layers.get(name, 2 if name.startswith("conv") else 3) for name in names}
    return [name for name in names if layer[name] >= int(policy[0])]


def freeze_blocks(model: nn.Module, names: Iterable[str], policy: str = "") -> TransferReport:
    """Freeze blocks by name in place: no gradients, batch norms in inference mode whatever `model.train()` says."""
    wanted = list(names)
    known = named_blocks(model)
    for name in wanted:
        if name not in known:
            raise ValueError(f"a block must be one of {', '.join(known)}, got {name!r}")
    modalities = list(model.crnn.fronts)  # type: ignore[union-attr,arg-type]
    for modality in modalities:
        blocks = named_blocks(model, modality)
        for name in wanted:
            _freeze(blocks[name])
    done = {_title(model, name, modality) for name in wanted for modality in modalities}
    return TransferReport(
        tuple(BlockReport(name, size, frozen=name in done) for name, size in _sizes(model).items()), policy=policy
    )


def _freeze(block: nn.Module) -> None:
    block.requires_grad_(False)
    for name, norm in list(block.named_modules()):
        if isinstance(norm, nn.BatchNorm2d) and not isinstance(norm, FrozenBatchNorm2d):
            block.set_submodule(name, FrozenBatchNorm2d.of(norm))


def _check_fits(name: str, source: nn.Module | None, target: nn.Module) -> None:
    if source is None:
        raise ValueError(f"block {name} is not in the source network")
    ours = {key: tuple(value.shape) for key, value in target.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in source.state_dict().items()}
    if ours == theirs:
        return
    key = next(key for key in [*ours, *theirs] if ours.get(key) != theirs.get(key))
    what = "the vocabularies differ" if name == "dense" and key in ours and key in theirs else "the shapes differ"
    raise ValueError(
        f"block {name} cannot be copied, {what}: {key} is {theirs.get(key, 'absent')} in the source and "
        f"{ours.get(key, 'absent')} in the target"
    )


def _title(model: nn.Module, block: str, modality: str | None) -> str:
    """A block's name in reports: with its modality where there are several fronts."""
    fronts = list(model.crnn.fronts)  # type: ignore[union-attr,arg-type]
    return f"{modality or fronts[0]}.{block}" if len(fronts) > 1 and block.startswith(FRONT) else block


def _sizes(model: nn.Module) -> dict[str, int]:
    """Parameters of every block by its title, input first. Biases that are always zero are not counted."""
    sizes: dict[str, int] = {}
    for modality in model.crnn.fronts:  # type: ignore[union-attr]
        for name, block in named_blocks(model, modality).items():
            own = [value.numel() for key, value in block.named_parameters() if not key.endswith("bias_hh_l0")]
            sizes[_title(model, name, modality)] = sum(own)
    order = [name for name in sizes if "." in name or name.startswith(FRONT)]
    return {name: sizes[name] for name in [*order, *(name for name in sizes if name not in order)]}
