"""Files on a disk, as bytes, text and JSON.

    text.py         text files of any encoding, compressed (gzip, xz, bzip2, zip) or not: `TextFile` reads one,
                    `writing` writes one; standard input and output are the path `-`
    atomic.py       files that are written whole or not at all, one (`replacing`) or several (`write_together`)
    json.py         JSON values as text, a whole file of them or one a line

Start with `text.TextFile`. Errors are `InputError`s that name the file and, where there is one, the line.
"""
