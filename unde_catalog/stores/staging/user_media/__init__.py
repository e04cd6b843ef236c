"""Requests for user media, and their erasure."""
