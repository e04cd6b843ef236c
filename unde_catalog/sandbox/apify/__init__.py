"""Apify: tasks, runs and datasets."""
