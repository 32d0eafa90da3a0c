"""Strings become tokens: tokens, spans and sentences, the tokenizer, sentence boundaries, scripts."""
