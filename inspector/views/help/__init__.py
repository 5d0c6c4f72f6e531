"""Help: pages with pictures, searched and read without a network."""
