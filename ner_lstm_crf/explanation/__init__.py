"""What a model found and why, for a person to look at.

explanation   `Explanation`: the sentences of a text, explained, as a page, in a notebook or on a terminal. Start here.
decisions     where the best sequence of tags differs from the best tags alone, and which transitions made it so.
figures       the figures of a page: tables of scores with the path that the tags take through them.
style         the look of pages: colours, type, pages that need no network and no script.
marked_text   `MarkedText`: a text with its entities in colours, for a page, a notebook or a terminal.
plots         pictures of a training run: learning curves, transitions, confusions, reliability (matplotlib).
"""
