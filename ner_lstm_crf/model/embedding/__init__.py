"""Ids to vectors: the part of a network that reads the token features. Strings become ids in `features/`.

token_embedding   the vectors of all features of a token side by side, and a batch as tensors; start reading here
registry          the one line per feature that makes its module
feature_module    the base classes of modules; vectors of a few ids
table             tables of vectors, of which some rows are trained and some are not
word, characters, bigrams, lexicon, gazetteer, transformer     a module for each feature that needs one of its own
"""
