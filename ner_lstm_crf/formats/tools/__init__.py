"""The formats of annotation tools, in and out: one file a tool.

    doccano.py         JSON lines with `label`
    label_studio.py    JSON of tasks with annotations or predictions
    prodigy.py         JSON lines with `tokens`, `spans` and `answer`
    brat.py            standoff annotations: a .txt and an .ann file for each text
    webanno.py         WebAnno TSV 3, of INCEpTION and WebAnno
    docbin.py          spaCy's DocBin; ../spacy_docs.py makes sentences of its documents

All JSON of running text is read by `text_json`, whoever wrote it; the files here say how a tool writes it.
"""
