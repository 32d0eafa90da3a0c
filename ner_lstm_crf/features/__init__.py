"""Token features: strings -> ids -> vectors. One file a feature; nothing here knows of layers, tags or files of text.

token_feature   the base classes of features and of their modules
registry        the one line per feature, and `Features`: all features of a model; start reading here
batch           each distinct word once (`WordTypes`), sentences as ids, and the batches that are cut from them
embedding       tables of vectors, and `TokenEmbedding`: the vectors of all features of a token side by side
word, casing, characters                 type features: they depend on the word alone
bigrams, lexicon, transformer/           context features: they depend on the sentence
vocabulary      symbols and their ids
vectors         files of pretrained word vectors
"""
