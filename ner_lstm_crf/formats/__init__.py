"""Annotated files and sentences: one file a format, the registry, what reading reports."""
