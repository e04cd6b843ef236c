"""The stage `visual_index`: embeddings of photos in a vector store, for visual search."""
