"""Strings become numbers: vocabularies, pretrained vectors, sub-tokens, batches. Knows `data`, nothing of layers."""
