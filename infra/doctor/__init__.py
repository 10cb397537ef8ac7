"""What would fail on a stack's hosts, found before anything changes. Changes nothing itself."""
