"""Embeds photos and keeps them in a vector store for visual search."""
