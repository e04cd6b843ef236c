"""BakaiMarket: its product API, its CDN and its bucket."""
