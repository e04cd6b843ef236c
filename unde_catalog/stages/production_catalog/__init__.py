"""The production_catalog stage: publishes a brand's validated products, stock and stores to the production database."""
