"""Next week's demand of a product in a shop: gradient-boosted trees, an interval, a reorder."""
