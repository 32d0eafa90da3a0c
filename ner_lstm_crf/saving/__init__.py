"""Models: their parts in memory, and their directory on disk.

model            `Model`: configuration, features, tags, networks; build, load, save
feature_folders  the folders of features that have files of their own: those of a transformer
networks         the networks of a model: new, or made of the weights of a directory when they are needed
tensors          safetensors files
weights          weights in eight, sixteen and thirty-two bits
"""
