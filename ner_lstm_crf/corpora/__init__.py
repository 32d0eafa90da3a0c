"""Public corpora, and facts about any annotated file.

    catalogue.toml, catalogue.py  the corpora that people train on (`catalogue`, `get_corpus`)
    download.py                   their files, downloaded or copied, and checked (`fetch_corpus`)
    facts.py                      counts of sentences, entities and labels, and of what two files share (`FileFacts`)
    pitfalls.py                   what will go wrong in training, by these counts (`pitfalls_of`)
    inspect.py                    both as text (`inspect_files`, `describe`)

Start with `catalogue.get_corpus`.
"""
