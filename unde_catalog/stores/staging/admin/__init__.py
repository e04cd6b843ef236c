"""Privileges of roles, API keys, dumps, and the deletion of old rows."""
