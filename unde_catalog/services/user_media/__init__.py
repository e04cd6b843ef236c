"""User media: photos that users send by Telegram, stored in a private bucket. NATS carries the requests and results.

The catalogue's photos and Dagster do not belong here.
"""
