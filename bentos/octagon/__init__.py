"""Black nutrition-warning octagons on product photos."""
