"""How the sample catalogue's garments are drawn, with Pillow alone."""
