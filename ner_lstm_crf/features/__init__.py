"""Strings become numbers: vocabularies, pretrained vectors, sub-tokens, batches. Knows `data`, and nothing of layers."""
