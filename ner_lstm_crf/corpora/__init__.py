"""Public corpora: the catalogue, downloads, and what is in a file."""
