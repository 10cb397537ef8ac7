"""Our Pulumi provider: what it does on a host, resource by resource, and the walk of a release."""
