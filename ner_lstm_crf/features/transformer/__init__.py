"""Vectors of a pretrained `transformers` encoder as a token feature, frozen or fine-tuned.

    feature      `Transformer`, the feature, and its part of a network; start reading here
    subtokens    words -> sub-tokens in windows that fit the encoder, each aligned to its token
    encoder      sub-tokens -> vectors of tokens
    pretrained   the folder of an encoder, or its name on the Hugging Face hub

`transformers` is an optional part of the installation and slow to import: nothing here imports it before it is used.
"""
