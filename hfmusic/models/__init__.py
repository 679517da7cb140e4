"""Models that travel to the Hub with their code, and their registration with transformers' Auto classes."""

from __future__ import annotations


def register() -> None:
    """Make `AutoConfig`, `AutoModel`, `AutoModelForCTC` know the models. May be called again."""
    from transformers import AutoConfig, AutoModel, AutoModelForCTC

    from .configuration_crnn import CRNNConfig
    from .modeling_crnn import CRNNForCTC, CRNNModel

    AutoConfig.register("crnn", CRNNConfig, exist_ok=True)
    AutoModel.register(CRNNConfig, CRNNModel, exist_ok=True)
    AutoModelForCTC.register(CRNNConfig, CRNNForCTC, exist_ok=True)


register()
