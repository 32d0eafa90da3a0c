"""Raw text becomes tokens, and sentences of tokens.

    annotation.py  Token, Span, Sentence, Entity: the values that all other rooms pass on; words or characters as tokens
    tokenizer.py   words and signs of a text (`tokenize`), or its characters; the lists of abbreviations
    sentences.py   sentences of a text (`sentences`), in portions if it is long
    scripts.py     ranges of characters (Han, marks, quotes, ...) and the language that a script shows

Start with `sentences.sentences`.
"""
