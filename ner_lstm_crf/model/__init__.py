"""Tensors only: embeddings, encoder, heads and the network that joins them.

One alphabet of dimensions serves every comment in this package:

    B  sentences in a batch          D  size of a vector
    T  tokens in the longest one     H  LSTM units per direction
    W  distinct words in a batch     K  tags
    N  characters of those words     F  filters of the char-CNN
"""
