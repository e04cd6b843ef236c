"""The brands' stock APIs and their store finders."""
