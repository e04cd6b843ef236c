"""Telegram's Bot API, following its public documentation: files and their download."""
