"""Models: their parts in memory, and their directory on disk.

model            `Model`: configuration, features, tags, networks; build, load, save
feature_folders  the folders of features that have files of their own: those of a transformer
tensors          safetensors files, and weights in eight and sixteen bits
"""
