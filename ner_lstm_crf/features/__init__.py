"""Token features: strings -> ids, without torch. One file a feature; nothing here knows of tags or files of text.

token_feature   the base classes of features
registry        the one line per feature, and `Features`: all features of a model; start reading here
batch           each distinct word once (`WordTypes`), sentences as ids, and the batches that are cut from them
word, casing, characters                 type features: they depend on the word alone
bigrams, lexicon, gazetteer, transformer/    context features: they depend on the sentence
vocabulary      symbols and their ids
vectors         files of pretrained word vectors
trie            all words of a lexicon, or names of a list, that stand in a text
simplified      the simplified forms of traditional characters
"""
