"""Models that travel to the Hub with their code, and their registration with transformers' Auto classes.

Importing this package registers them.
"""

from __future__ import annotations


def register() -> None:
    """Make transformers' Auto classes and `pipeline` know the models here. May be called again."""
    from transformers import (
        AutoConfig,
        AutoFeatureExtractor,
        AutoImageProcessor,
        AutoModel,
        AutoModelForCTC,
        AutoProcessor,
        AutoTokenizer,
    )
    from transformers.pipelines import PIPELINE_REGISTRY

    from .configuration_audio_roll_decoder import RollDecoderConfig
    from .configuration_audio_score import AudioScoreConfig
    from .configuration_crnn import CRNNConfig
    from .configuration_r2crnn import R2CRNNConfig
    from .configuration_unet_transcriber import UNetTranscriberConfig
    from .feature_extraction_music import MusicFeatureExtractor
    from .feature_extraction_transcriber import TranscriberFeatureExtractor
    from .image_processing_staff import StaffImageProcessor
    from .modeling_audio_roll_decoder import RollDecoder
    from .modeling_audio_score import AudioScoreModel
    from .modeling_crnn import CRNNForCTC, CRNNModel
    from .modeling_r2crnn import R2CRNNForCTC, R2CRNNModel
    from .modeling_unet_transcriber import UNetTranscriber
    from .pipeline_amt import TASK as HEARS
    from .pipeline_amt import AutomaticMusicTranscriptionPipeline
    from .pipeline_omr import TASK as READS
    from .pipeline_omr import OpticalMusicRecognitionPipeline
    from .processing_audio_roll import AudioRollProcessor
    from .processing_audio_score import AudioScoreProcessor
    from .processing_ctc import CTCAudioProcessor, CTCImageAudioProcessor, CTCProcessor
    from .processing_unet_transcriber import TranscriberProcessor
    from .tokenization_ctc import CTCTokenizer

    families = ((CRNNConfig, CRNNModel, CRNNForCTC), (R2CRNNConfig, R2CRNNModel, R2CRNNForCTC))
    for config, model, reader in families:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, model, exist_ok=True)
        AutoModelForCTC.register(config, reader, exist_ok=True)
        AutoImageProcessor.register(config, slow_image_processor_class=StaffImageProcessor, exist_ok=True)
        AutoFeatureExtractor.register(config, MusicFeatureExtractor, exist_ok=True)
        AutoTokenizer.register(config, slow_tokenizer_class=CTCTokenizer, exist_ok=True)
        AutoProcessor.register(config, CTCProcessor, exist_ok=True)
    # Folders name theirs; it is looked for among the values.
    for kind in (CTCAudioProcessor, CTCImageAudioProcessor, AudioRollProcessor):
        AutoProcessor.register(kind, kind, exist_ok=True)
    AutoConfig.register(UNetTranscriberConfig.model_type, UNetTranscriberConfig, exist_ok=True)
    AutoModel.register(UNetTranscriberConfig, UNetTranscriber, exist_ok=True)
    AutoFeatureExtractor.register(UNetTranscriberConfig, TranscriberFeatureExtractor, exist_ok=True)
    AutoProcessor.register(UNetTranscriberConfig, TranscriberProcessor, exist_ok=True)
    AutoConfig.register(AudioScoreConfig.model_type, AudioScoreConfig, exist_ok=True)
    AutoModel.register(AudioScoreConfig, AudioScoreModel, exist_ok=True)
    AutoProcessor.register(AudioScoreConfig, AudioScoreProcessor, exist_ok=True)
    AutoConfig.register(RollDecoderConfig.model_type, RollDecoderConfig, exist_ok=True)
    AutoModel.register(RollDecoderConfig, RollDecoder, exist_ok=True)
    AutoProcessor.register(RollDecoderConfig, AudioRollProcessor, exist_ok=True)
    pipelines = {
        READS: (OpticalMusicRecognitionPipeline, "image"),
        HEARS: (AutomaticMusicTranscriptionPipeline, "audio"),
    }
    for task, (pipeline, modality) in pipelines.items():
        if task not in PIPELINE_REGISTRY.supported_tasks:
            PIPELINE_REGISTRY.register_pipeline(task, pipeline_class=pipeline, pt_model=AutoModelForCTC, type=modality)


register()
