"""Requests to remote hosts: rate limits, retries, URL and address policy, TLS. No client of a service is here."""
