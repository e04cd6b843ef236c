"""Descriptions of the tables that belong to assets: columns, their meaning, and their lineage."""
