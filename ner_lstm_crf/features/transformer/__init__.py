"""A pretrained transformer as a token feature."""
