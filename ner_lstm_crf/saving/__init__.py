"""Models: their parts in memory, and their directory on disk.

model            `Model`: configuration, features, tags, networks; build, load, save; start reading here
quantize         weights in eight and sixteen bits
tensors          safetensors files
feature_folders  files of features, such as those of a transformer
"""
