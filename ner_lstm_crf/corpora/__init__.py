"""Public corpora, and facts about any annotated file.

    catalogue.toml, catalogue.py  the corpora that people train on (`catalogue`, `get_corpus`)
    download.py                   their files, downloaded or copied, and checked (`fetch_corpus`)
    inspect.py                    counts of sentences, entities and labels, and what files share (`inspect_files`)

Start with `catalogue.get_corpus`.
"""
