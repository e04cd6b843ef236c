"""Ximilar's visual search collections."""
