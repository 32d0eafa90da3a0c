"""Strings and spans: annotation values, tag schemes, files, raw text. Knows nothing of numbers; never imports torch."""
