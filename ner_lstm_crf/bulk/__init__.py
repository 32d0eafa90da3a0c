"""Bulk tagging: folders of files into shards, whichever engine spreads the work.

`job` is the way from files to a manifest, and says what an engine has to do. `inputs` finds the files and cuts them
into slices, `rows` reads the rows of a slice, `columns` finds the columns that rows of JSON become, `shards` tags a
slice and writes its shard, `manifest` keeps what is done.
"""
