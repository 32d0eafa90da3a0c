"""Pretrained word vectors.

    vectors.py  `read_vectors` reads a file, `coverage` counts the words of a text that have a vector,
                `builtin_character_vectors` are those that come with the package
    rows.py     the formats of files: text and word2vec binary

Start with `vectors.read_vectors`.
"""
