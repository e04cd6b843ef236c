"""The photo CDN and the sample catalogue whose garments it draws."""
