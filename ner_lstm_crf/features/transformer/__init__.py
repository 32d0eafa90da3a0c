"""A pretrained `transformers` encoder as a token feature, frozen or fine-tuned; its vectors: `model/embedding/`.

    feature      `Transformer`: start reading there
    subtokens    the folder of a pretrained encoder, or its name on the Hugging Face hub; words -> sub-tokens in windows
                 that fit the encoder, each aligned to its token

`transformers` is an optional part of the installation and slow to import: nothing here imports it before it is used.
"""
