"""Tensors only: layers, heads and networks, in training and in tagging.

    network      embedding -> BiLSTM -> projection -> head, as trained; start reading here
    embedding/   ids of token features -> vectors of tokens
    inference    the same for tagging: several networks, over cached vectors of word types
    bilstm       token vectors in their context
    heads        emissions -> loss, tags, marginals: a CRF or a softmax
    losses       what training minimizes beside the loss of the head: costs of mistakes, weights, a teacher, an expected
                 ratio
    crf          likelihoods of a linear-chain CRF, with gradients
    cpu          number types of the processor
    generators   torch draws from a given generator, not from its global one
    device       the devices that networks compute on

One alphabet of dimensions serves every comment in this package:

    B  sentences in a batch          D  size of a vector
    T  tokens in the longest one     H  LSTM units per direction
    W  distinct words in a batch     K  tags
    R  rows of all word types        F  filters of the char-CNN
"""
