"""Command lines that read and write files on a host, each safe to run twice and never half done."""

from collections.abc import Iterable


def write(path: str, mode: str, size: int) -> list[str]:
    """Replaces a file by standard input at once, with `mode` (octal, such as 0644).

    The new content goes to a file beside it, synced before the rename: after a power cut there is
    the old file or the new one. So after a cut line, which ends standard input early: what has not
    `size` bytes replaces nothing.
    """
    script = (
        'umask 077; cat > "$1.new" && test "$(wc -c < "$1.new")" -eq "$3" '
        '&& chmod "$2" "$1.new" && sync "$1.new" && mv -f "$1.new" "$1"'
    )
    return ["sh", "-c", script, "sh", path, mode, str(size)]


def write_new(path: str, size: int) -> list[str]:
    """Writes `size` bytes of standard input to a file that must not be there yet; exit 1 if it is.

    With fewer, as after a cut line, there is none.
    """
    script = (
        'umask 077; cat > "$1.$$" && test "$(wc -c < "$1.$$")" -eq "$2" '
        '&& ln "$1.$$" "$1" 2>/dev/null; won=$?; rm -f "$1.$$"; exit $won'
    )
    return ["sh", "-c", script, "sh", path, str(size)]


def append(path: str, line: str, most_bytes: int) -> list[str]:
    """Adds a line to a file; exit 4 when its folder is not there.

    The line is an argument, so that a cut line adds all of it or nothing. A file that has grown to
    `most_bytes` begins anew; what was in it becomes `<path>.1`. One that ends within a line, as
    after a power cut, ends that line first.
    """
    script = (
        'test -d "${1%/*}" || exit 4; umask 022; '
        'if test -e "$1" && test "$(wc -c < "$1")" -ge "$3"; then mv -f "$1" "$1.1"; fi; '
        'if test -s "$1" && test -n "$(tail -c 1 "$1")"; then echo >> "$1"; fi; '
        'printf "%s\\n" "$2" >> "$1"'
    )
    return ["sh", "-c", script, "sh", path, line, str(most_bytes)]


def read(path: str) -> list[str]:
    """Prints a file; exit 4 when it is not there."""
    return ["sh", "-c", 'test -e "$1" || exit 4; cat -- "$1"', "sh", path]


def remove(path: str) -> list[str]:
    """Removes a file or folder; also when it is not there."""
    return ["rm", "-rf", "--", path]


def move(path: str, to: str) -> list[str]:
    """Puts a file in another's place, on the same disk; also when there is none."""
    return ["sh", "-c", 'test ! -e "$1" || mv -f -- "$1" "$2"', "sh", path, to]


def make_folder(path: str, mode: str) -> list[str]:
    """Makes a folder, its parents too, and sets its mode; complains in English in any locale."""
    script = 'export LC_ALL=C; mkdir -p -- "$1" && chmod "$2" -- "$1"'
    return ["sh", "-c", script, "sh", path, mode]


def list_folder(path: str) -> list[str]:
    """Names in a folder, one a line; nothing when it is not there."""
    return ["sh", "-c", 'test -d "$1" || exit 0; ls -1 -- "$1"', "sh", path]


def remove_empty(path: str) -> list[str]:
    """Removes a folder if nothing is in it; no fault when there is."""
    return ["sh", "-c", 'rmdir -- "$1" 2>/dev/null || true', "sh", path]


def age_s(path: str) -> list[str]:
    """Seconds since the file was last written, by the host's own clock."""
    return ["sh", "-c", 'echo $(( $(date +%s) - $(stat -c %Y -- "$1") ))', "sh", path]


def modes(paths: Iterable[str]) -> list[str]:
    """Prints mode and path of each folder that is there, one a line."""
    script = 'for path in "$@"; do test ! -d "$path" || stat -c "%a %n" -- "$path"; done'
    return ["sh", "-c", script, "sh", *paths]


def parse_modes(text: str) -> dict[str, str]:
    """Path -> mode in octal, from what `modes` printed."""
    return {path: mode for mode, _, path in (line.partition(" ") for line in text.splitlines())}
