"""Files on a disk, as bytes, text and JSON.

    text.py         text files of any encoding, compressed (gzip, xz, bzip2, zip) or not: `TextFile` reads one,
                    `writing` writes one; standard input and output are the path `-`
    encodings.py    the encodings that are known, and the one that some bytes are likely to be in
    atomic.py       files that are written whole or not at all, one (`replacing`) or several (`write_together`)
    saved.py        the files of a model or a run, read back: plain files of a sane size, else refused
    table.py        tables of texts: CSV, whose rows hold a text and other cells
    json.py         JSON values as text: one, one a line, or the items of an array

Start with `text.TextFile`. Errors are `InputError`s that name the file and, where there is one, the line.
"""
