"""What an R2-CRNN is made of (paper 002): a CRNN's, with residual recurrent blocks for convolutions."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from huggingface_hub.dataclasses import strict

from .configuration_crnn import CRNNConfig


@strict
class R2CRNNConfig(CRNNConfig):
    """`R2CRNNConfig()` is paper 002's network with the 1,781 semantic tokens (`r2crnn_paper`).

    The paper leaves open how many channels there are (here as in the CRNN that it is compared with), and whether the
    steps of a recurrent unit share one batch norm. Beside what follows it takes `CRNNConfig`'s arguments;
    `conv_kernels` are those of the recurrent convolutions, and must be odd.

    Args:
        recurrent_steps: t, how often a recurrent convolution runs again over its input plus what it gave: it is applied
            t + 1 times with the same weights.
        recurrent_units: recurrent convolution units of a block, one after another.
        step_norms: each of the t + 1 applications normalises with a batch norm of its own. False: one for all, whose
            running statistics then mix the steps.
    """

    model_type = "r2crnn"

    input_height: int = 128
    conv_channels: list[int] = field(default_factory=lambda: [32, 64, 128, 256])
    conv_kernels: list[list[int]] = field(default_factory=lambda: [[3, 3], [3, 3], [3, 3], [3, 3]])
    pool_sizes: list[list[int]] = field(default_factory=lambda: [[2, 2], [2, 2], [2, 2], [2, 2]])
    conv_bias: bool = True
    leaky_relu_slope: float | int = 0.0
    batch_norm_eps: float = 1e-5
    batch_norm_momentum: float = 0.1
    vocab_size: int = 1781
    recurrent_steps: int = 2
    recurrent_units: int = 2
    step_norms: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        if any(size % 2 == 0 for kernel in self.conv_kernels for size in kernel):
            raise ValueError(f"conv_kernels must be odd, got {self.conv_kernels}")
        for name, least in (("recurrent_steps", 0), ("recurrent_units", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
