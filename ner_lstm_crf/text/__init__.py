"""Raw text becomes tokens, and sentences of tokens.

    annotation.py  Token, Span, Sentence, Entity: the values that all other rooms pass on; words or characters as tokens
    reading.py     a text as it is read: without what nobody sees, in one form, every place traced back
    tokenizer.py   words and signs of a text (`tokenize`), or its characters; the lists of abbreviations
    sentences.py   sentences of a text (`sentences`), in portions if it is long
    scripts.py     ranges of characters (Han, marks, quotes, ...) and the language that a script shows

Start with `sentences.sentences`.
"""
