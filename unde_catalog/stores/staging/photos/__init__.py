"""Stored photos and collages."""
