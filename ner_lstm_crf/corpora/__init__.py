"""Public corpora, and statistics about any annotated file.

    catalogue.toml, catalogue.py  the corpora that people train on (`catalogue`, `get_corpus`)
    download.py                   their files, downloaded or copied, and checked (`fetch_corpus`)
    statistics.py                 counts of sentences, entities and labels, and of what two files share
    warnings.py                   what will go wrong in training, found in these statistics (`file_warnings`)
    inspect.py                    both as text (`inspect_files`, `describe`)

Start with `catalogue.get_corpus`.
"""
