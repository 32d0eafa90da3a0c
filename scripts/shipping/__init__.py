"""The parts of the shipped taggers, which `train_shipped.py` puts together.

corpora.py     the corpora, and the recipe of each language (`LANGUAGES`)
variants.py    copies of training sentences that show what the corpora lack
dictionary.py  the words of jieba's dictionary that the Chinese tagger looks for
cut.py         a model with fewer words
card.py        the card of a model
"""
