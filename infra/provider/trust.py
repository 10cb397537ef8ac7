"""Which other hosts of the stack a host lets in: their certificates, in one file of its edge.

An entry lets in every host, as it asks them all; another host lets in entries alone.
"""

from infra.commands import certificate as commands
from infra.commands import files
from infra.provider import certificate, reload
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain, Resource, look_at_file, machine_of

PART = "other hosts' certificates"


class Trust(Resource):
    """Inputs: `host`, `machine_id`, `peers`: the name and the `certificates` of each host.

    Without peers nothing is written: HAProxy refuses an empty file while its configuration still
    names it, and `edge` makes it name it no more.
    """

    follows_other_hosts = True

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """The file."""
        return (PART,)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Writes the file, and has the edge that runs take it in: a reload, which loses nothing."""
        machine, text = machine_of(inputs), _text(inputs)
        path = machine.paths.peers
        if not text:
            return {}
        before = machine.read(path)
        if before != text:
            machine.run(files.make_folder(str(path.parent), commands.FOLDER_MODE))
            machine.write(path, text)
        if _is_behind(machine, text):
            reload.reload(machine, lambda: _put_back(machine, before), console)
        return {}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """The same."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> dict[str, str]:
        """The file compared by content, and with what the edge that runs lets in."""
        machine, text = machine_of(state), _text(state)
        if not text:
            return {PART: AS_DECLARED}
        found = look_at_file(machine.read(machine.paths.peers), text)
        if found == AS_DECLARED and _is_behind(machine, text):
            found = "not yet in use"
        return {PART: found}

    def delete(self, state: Plain, console: Console) -> None:
        """Removes the file, and its folder where nothing else is in it."""
        machine = machine_of(state)
        machine.remove(machine.paths.peers)
        certificate.remove_folder(machine)


def _text(inputs: Plain) -> str:
    """In the order of names, so that an order of the stack's file that changed changes nothing."""
    peers = sorted(inputs.get("peers") or [], key=lambda peer: str(peer["name"]))
    return "".join(str(peer["certificates"] or "") for peer in peers)


def _is_behind(machine: Machine, text: str) -> bool:
    """Whether the edge that runs lets in others than the file says; not when it lets in nobody.

    Then it does not read the file at all: `edge` makes it do so.
    """
    trusted = reload.trusted(machine)
    return bool(trusted) and trusted != commands.fingerprints(text)


def _put_back(machine: Machine, before: str | None) -> None:
    if before is not None:
        machine.write(machine.paths.peers, before)
