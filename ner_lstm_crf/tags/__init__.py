"""Spans to tags and back: tags are one text per token, spans are entities.

    scheme.py     the ten tag schemes, the automaton that reads them, and the policies for ill-formed tags (`Scheme`)
    notation.py   the notations of tags in files: `B-PER`, `PER-B`, `b-per`, `-` for O (`Notation`)
    detect.py     the scheme of a file, by its tags, and the evidence for it (`detect_scheme`)
    tag_set.py    the tags of a model, numbered: spans to tag ids and back, and the allowed transitions (`TagSet`)
    partial.py    tags of which not all is known, as `?` and `B-PER|O` in a file (`PartialReader`, `encode_partial`)
    labels.py     the labels of a file to keep, and their new names (`LabelMap`)

Start with `scheme.Scheme`. To add a tag scheme, add an entry to `scheme.SCHEMES`.
"""
