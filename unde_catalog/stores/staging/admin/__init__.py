"""Privileges of the roles, API keys, and deleting what is old."""
