"""Names the animals in folders of camera-trap photos, and gets such folders from open data."""
