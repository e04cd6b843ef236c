"""Ximilar's collections of visual search."""
