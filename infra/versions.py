"""Every pinned version that is not in pyproject.toml or a Go module: one constant each, no code.

tools/setup/*.sh reads this file too, so each value stays a plain string on one line.
"""

# The engine that set-up gets; the same as the SDK in pyproject.toml and tools/pulumi/engine/go.mod.
PULUMI = "3.258.0"

# What set-up installs where there is no uv, and the oldest one on PATH that it takes.
UV = "0.13.9"
UV_OLDEST = "0.8.0"

# The oldest Go that fetches the toolchain named in tools/pulumi/*/go.mod by itself.
GO_OLDEST = "1.21"

# The base of every image, by date; bentofile.yaml repeats it because BentoML reads it there.
BASE_IMAGE = "docker.io/library/debian:bookworm-20250520-slim"

# The same Debian suite where no image can be pulled and the base is made from packages.
DEBIAN_SUITE = "bookworm"

# Time of all files and layers (the base image's day), so that equal content gives equal layers.
IMAGE_EPOCH_S = "1747699200"
