"""Tags: how spans are written as one tag per token, and read back.

Start reading at `scheme.Scheme`.

- scheme: the ten tag schemes, their automaton, `encode` and `decode`, and the policies for ill-formed tags.
  To add a tag scheme, add an entry to `SCHEMES`.
- detect: the scheme of a file, by its tags, and the evidence for it.
- tag_set: the numbered tags of a model: spans ⇄ tag ids, and the transitions that a CRF allows.
- labels: which labels of a file to keep, and their new names.
"""
