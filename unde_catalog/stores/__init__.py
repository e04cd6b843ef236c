"""The databases and the object store. All SQL is here."""
