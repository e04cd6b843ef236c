"""Telegram's Bot API as spec'd by its public documentation: files and their download."""
