"""The page of a verdict that people read: verdict.html, made from verdict.json and gate.json."""
