"""What the staging and the production database share: pool, migrations, dumps."""
