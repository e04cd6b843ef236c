"""Incidents, and the messages that tell of them."""
