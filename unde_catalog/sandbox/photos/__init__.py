"""The photo CDN, and the catalogue whose garments it draws."""
