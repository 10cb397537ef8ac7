"""The container images that bentofleet builds: base, service and edge."""
