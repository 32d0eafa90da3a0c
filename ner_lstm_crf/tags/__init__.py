"""Spans and tags: the ten tag schemes, their automaton and detection, and labels."""
