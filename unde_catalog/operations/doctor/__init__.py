"""Whether everything outside this program can be reached: one real, harmless, free call to each service."""
