"""Manners: how we talk to other people's servers."""
