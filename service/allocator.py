"""Tells the C library to give memory back: photos would leave a hundred megabytes of holes."""

import ctypes

# As <malloc.h> of glibc numbers them.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Measured: a fixed threshold keeps 190 MB of 260 with four models, and decodes no slower than the
# default, which grows with what it sees; at a quarter of it a photo costs half as much again.
_MMAP_BYTES = 1024 * 1024
_SPARE_BYTES = 8 * 1024 * 1024
_ARENAS = 2  # else each thread may have one, with holes of its own


def give_back() -> None:
    """Gives back the holes that there are now: loading four models leaves 20 MB of them."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def spare_memory() -> None:
    """Bounds what is kept of freed memory; does nothing where the C library is not glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_ARENA_MAX, _ARENAS)
        libc.mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _SPARE_BYTES)
