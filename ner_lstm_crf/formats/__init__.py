"""Annotated files to sentences and back: one file a format.

    registry.py          the formats; detecting, reading, writing and converting files (`read_sentences`, `convert`)
    format.py            the class `Format`: how a format is detected, read, written and rewritten
    options.py           `ReadOptions`, `WriteOptions`, and the findings of reading (`ReadReport`)
    conll.py             column files; columns.py is their layout, column_detection.py finds it
    token_json.py        JSON lines of tokens and tags; tagged_file.py is what they share with column files
    text_json.py         JSON lines of running text; cluener.py writes those in the style of CLUENER
    inline.py            entities marked in the text
    tools/               the formats of annotation tools: doccano, Label Studio, Prodigy, brat, WebAnno, spaCy
    foreign.py           forms that are not read, and what is said of them
    spacy_docs.py        spaCy's documents to sentences and back

Start with `registry.read_sentences`. To add a format, write a `Format` in a file of its own and add it to
`registry.FORMATS`.
"""
