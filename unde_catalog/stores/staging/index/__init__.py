"""Embeddings and their models, vectors, search, and records at Ximilar."""
