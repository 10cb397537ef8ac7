"""The Pulumi program and provider that put a release on the hosts of a stack."""
