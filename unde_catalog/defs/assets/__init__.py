"""The assets, a short file each: resources in, one domain call, metadata out."""
