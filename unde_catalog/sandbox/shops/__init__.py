"""The brands' stock APIs and store finders."""
