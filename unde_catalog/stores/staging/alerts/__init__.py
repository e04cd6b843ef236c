"""Incidents, and the outbox of alerts."""
