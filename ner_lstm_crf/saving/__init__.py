"""Models: their parts in memory, and their directory on disk.

model            `Model`: configuration, features, tags, networks; build, load, save; start reading here
tensors          safetensors files, and weights in eight and sixteen bits
feature_folders  files of features, such as those of a transformer
"""
