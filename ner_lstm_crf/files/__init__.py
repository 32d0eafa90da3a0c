"""Text files, compression, atomic writing, JSON: nothing about language."""
