"""Annotated files ⇄ sentences: one file a format.

Start reading at `registry.read_sentences`.

- registry: the formats in order, detection, `read_sentences`, `write_sentences`, `convert`.
  To add a format, write a `Format` in a file of its own and add it to `FORMATS`.
- format: the class `Format`: how a format is detected, read, written and rewritten.
- options: `ReadOptions`, and `ReadReport`, the findings of reading.
- conll: column files; columns: the layout of columns; column_detection: finding it.
- token_json: JSON lines of tokens and tags; tagged_file: the part that it shares with column files.
- text_json: JSON lines of running text; cluener: those in the style of CLUENER.
- inline: entities marked in the text.
"""
