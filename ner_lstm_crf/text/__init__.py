"""Raw text becomes tokens, and sentences of tokens.

    annotation.py     Token, Span, Sentence, Entity: the values that all other rooms pass on; the unit of tokens
    normalization.py  a text without what nobody sees, in one form, every offset traced back (`normalized`)
    tokenizer.py      words and signs of a text (`tokenize`), or its characters; the lists of abbreviations
    sentences.py      sentences of a text (`sentences`), in portions if it is long
    scripts.py        ranges of characters (Han, marks, quotes, ...) and the language that a script shows

Start with `sentences.sentences`.
"""
