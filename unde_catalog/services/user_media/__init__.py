"""People's photos: from Telegram to a private bucket of their own, asked for and answered through NATS.

The catalogue's photos are no business of these rooms, nor is Dagster.
"""
