"""What a CRNN is made of (paper 000), and the one place where its strides and lengths are worked out."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, TypeVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

Widths = TypeVar("Widths")  # an int or an integer tensor


@strict
class CRNNConfig(PreTrainedConfig):
    """Convolutions, bidirectional LSTMs and a CTC output layer. `CRNNConfig()` is paper 000's network (`crnn_paper`).

    Sizes of kernels and pools are [height, width]; heights run along the staff's rows, widths along time.

    Args:
        input_height: rows of the input features.
        conv_channels, conv_kernels, pool_sizes: one entry a block of convolution, batch norm, leaky ReLU, max pool.
        batch_norm_momentum: torch's convention (weight of the new batch); Keras' 0.99 is 0.01 here.
        projection_size: a Linear + leaky ReLU from a column's features to this size before the LSTMs; None: none.
        hidden_size, num_recurrent_layers: of each direction of the LSTMs.
        dropout: after every LSTM layer, as the paper's table reads (its Keras code drops the layers' inputs instead).
        vocab_size: symbols, without the blank.
        pad_token_id: the blank, always `vocab_size`.
        ctc_loss_reduction: "mean" (each staff's loss over its label length, mean of the batch: torch), "batch_mean"
            (mean of the batch: the paper's Keras) or "sum".
        modalities: what the network takes: ["image"], ["audio"], or both. Each has convolutions and a projection of its
            own; LSTMs and output layer are shared. All take `input_height` rows.
        clock_periods: periods, in frames of the output, of a clock that the audio front adds to its projection: sines
            and cosines that begin with the sound. Music of one known tempo keeps time by it. None in the paper.
        fold: this many by this many neighbouring pixels become channels of a picture as much smaller, before the first
            block. 1, the papers': none.
        mask_padding: padded columns are held at zero and kept from the LSTMs, so that a staff reads the same alone
            and in a batch. False is the paper's behaviour: padding is read as paper.
    """

    model_type = "crnn"
    _auto_class: ClassVar[str | None] = "AutoConfig"

    input_height: int = 256
    conv_channels: list[int] = field(default_factory=lambda: [8, 8])
    conv_kernels: list[list[int]] = field(default_factory=lambda: [[10, 2], [8, 5]])
    pool_sizes: list[list[int]] = field(default_factory=lambda: [[2, 2], [2, 1]])
    conv_bias: bool = False
    leaky_relu_slope: float | int = 0.2
    batch_norm_eps: float = 1e-3
    batch_norm_momentum: float = 0.01
    projection_size: int | None = None
    hidden_size: int = 256
    num_recurrent_layers: int = 2
    dropout: float | int = 0.5
    vocab_size: int = 1166
    pad_token_id: int | None = None
    ctc_loss_reduction: str = "mean"
    mask_padding: bool = True
    fold: int = 1
    modalities: list[str] = field(default_factory=lambda: ["image"])
    clock_periods: list[float] = field(default_factory=list)

    def __post_init__(self, **kwargs: Any) -> None:
        if not __name__.startswith("transformers_modules"):
            # transformers wants trust_remote_code for any pipeline that a config names, even one registered here
            kwargs.pop("custom_pipelines", None)
        if self.pad_token_id is None:
            self.pad_token_id = self.vocab_size
        super().__post_init__(**kwargs)
        self._check()

    def validate_token_ids(self) -> None:
        """transformers would warn that the blank lies outside `vocab_size`: here that is where it belongs."""

    def _check(self) -> None:
        channels, kernels, pools = self.conv_channels, self.conv_kernels, self.pool_sizes
        if not len(channels) == len(kernels) == len(pools) >= 1:
            raise ValueError(
                "conv_channels, conv_kernels and pool_sizes must have one entry a block, "
                f"got {len(channels)}, {len(kernels)} and {len(pools)}"
            )
        for name, sizes in (("conv_kernels", kernels), ("pool_sizes", pools)):
            if not all(len(size) == 2 and min(size) >= 1 for size in sizes):
                raise ValueError(f"{name} must be [height, width] pairs of at least 1, got {sizes}")
        if self.vocab_size < 1 or self.pad_token_id != self.vocab_size:
            raise ValueError(
                f"pad_token_id, the blank, must equal vocab_size, got {self.pad_token_id} and {self.vocab_size}"
            )
        if self.ctc_loss_reduction not in ("mean", "batch_mean", "sum"):
            raise ValueError(
                f'ctc_loss_reduction must be "mean", "batch_mean" or "sum", got {self.ctc_loss_reduction!r}'
            )
        known = sorted(set(self.modalities) & {"image", "audio"})
        if not known or len(known) != len(self.modalities):
            raise ValueError(f'modalities must be "image", "audio" or both, got {self.modalities}')
        if self.clock_periods and (min(self.clock_periods) <= 0 or self.projection_size is None):
            raise ValueError(
                f"clock_periods must be positive and need a projection_size, got {self.clock_periods} "
                f"and {self.projection_size}"
            )
        if self.fold < 1:
            raise ValueError(f"fold must be at least 1, got {self.fold}")
        if self.num_recurrent_layers < 1 or self.column_height < 1:
            raise ValueError(
                f"at least one LSTM layer and one row after the pools are needed, got {self.num_recurrent_layers} "
                f"layers and {self.input_height} rows pooled by {self.height_stride}"
            )

    @property
    def width_stride(self) -> int:
        """Input columns a frame of the output covers. Frame t covers columns [t, t + 1) * width_stride."""
        stride = self.fold
        for _, width in self.pool_sizes:
            stride *= width
        return stride

    @property
    def height_stride(self) -> int:
        """Input rows a row of the last feature map covers."""
        stride = self.fold
        for height, _ in self.pool_sizes:
            stride *= height
        return stride

    @property
    def column_height(self) -> int:
        """Rows of the last feature map; pools drop what is left over."""
        return self.input_height // self.height_stride

    def output_length(self, width: Widths) -> Widths:
        """Frames of an input of `width` columns, int or integer tensor. Pools drop what is left over, a fold does not.

        >>> CRNNConfig().output_length(1719)
        859
        """
        folded = -(-width // self.fold)  # type: ignore[operator]
        return folded // (self.width_stride // self.fold)
