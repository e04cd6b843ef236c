-- What the roles of single stages may do with the deployed tables, and no more. The migrations grant these rights; they
-- take none away, because deployed services may use more. `unde-catalog roles --strict` does, and then runs this file.
-- A test compares the two. On tables that this project added, the roles have only what the migrations grant.

GRANT SELECT ON raw_products, scraper_logs TO apify, collage, downloader, ximilar;
GRANT INSERT, UPDATE ON scraper_logs TO apify, collage, downloader, ximilar;

GRANT INSERT (source, external_id, brand, name, description, price, currency, category, colour, sizes, composition,
              original_image_urls, raw_data, scraped_at, image_status, index_scope, last_scrape_id)
    ON raw_products TO apify;
GRANT UPDATE (name, description, price, currency, category, colour, sizes, composition, original_image_urls, raw_data,
              scraped_at, updated_at, active, last_scrape_id) ON raw_products TO apify;
GRANT UPDATE (image_urls, image_status, error_message, updated_at) ON raw_products TO downloader;
GRANT UPDATE (collage_url, image_status, error_message, updated_at) ON raw_products TO collage;
GRANT UPDATE (ximilar_status, ximilar_synced_at, ximilar_synced_urls, error_message, updated_at)
    ON raw_products TO ximilar;
