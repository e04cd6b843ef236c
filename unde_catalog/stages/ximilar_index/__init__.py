"""The stage `ximilar_index`: photos in a collection of the service Ximilar, for visual search."""
