"""The search API and its page, for people and programs: a face of the catalogue."""
