"""Maintenance of databases and objects: backup, restore, verify, pauses, retention, table maintenance."""
