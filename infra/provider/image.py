"""An image on a host: there under the stack's own tag, with the id that was built."""

from collections.abc import Mapping

from infra.commands import containers
from infra.provider import replicas, sending
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import Plain, Refused, Resource, differs, machine_of
from infra.provider.shelf import Shelf

PART = "image"
FOUND_ID = "found_id"


class Image(Resource):
    """Inputs: `host`, `machine_id`, `source` (build's tag), `tag` (the stack's), `image_id`.

    `registry` is there where images go through one: `repository`, `user` and `password` (secret).
    Output: `found_id`, what the host's engine calls the image; Docker with containerd's store
    names the same image otherwise than the engine that built it.
    """

    outputs = (FOUND_ID,)

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """The one image."""
        return (PART,)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Brings the built image under the stack's tag, unless the host has it so already."""
        machine = machine_of(inputs)
        found = machine.image_id(str(inputs["tag"]))
        if not _is_built(found, containers.short_id(str(inputs["image_id"]))):
            found = _bring(machine, inputs, console)
        return {FOUND_ID: found}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Brings the new image beside the old; the release removes old ones beyond `keep`."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Whether the tag is there, with the id that was put there."""
        found = machine_of(state).image_id(str(state["tag"]))
        if found is None:
            return {PART: "removed"}
        wanted = state.get(FOUND_ID) or containers.short_id(str(state["image_id"]))
        return {PART: differs(found, wanted, f"replaced by image {found[:12]}")}

    def delete(self, state: Plain, console: Console) -> None:
        """Takes away every tag that the stack has of this image, kept releases included.

        Nothing runs from it any more, but where the host was silent when that should have ended.
        """
        machine = machine_of(state)
        tag = str(state["tag"])
        names = machine.image_tags(tag.rpartition(":")[0])
        ids = {machine.image_id(name) for name in names}
        left = [c.name for c in machine.containers() if c.image_id in ids]
        machine.stop(left, replicas.STOP_TIMEOUT_S)
        for name in names:
            machine.run(containers.remove_tag(machine.engine, name))
        if machine.host.connection != "local":
            sending.clear(machine, tag)


def _is_built(found: str | None, wanted: str) -> bool:
    """Whether a host's engine means the image that was built, by whatever id."""
    if found in (None, wanted):
        return found == wanted
    packed = sending.store().known(wanted)
    return packed is not None and found in packed.ids


def _bring(machine: Machine, inputs: Plain, console: Console) -> str | None:
    """Gets the image from wherever it is nearest, and names it for the stack; its id there."""
    source, tag = str(inputs["source"]), str(inputs["tag"])
    wanted = containers.short_id(str(inputs["image_id"]))
    if machine.host.connection == "local":
        _take_from_here(machine, source, wanted, tag)
    elif _is_built(machine.image_id(source), wanted):  # it came on a stick, for instance
        machine.run(containers.tag_image(machine.engine, source, tag))
    elif inputs.get("registry"):
        shelf = Shelf.of(inputs["registry"])
        shelf.fill(source, wanted)
        shelf.bring(machine, source, tag, console)
    else:
        return sending.Sending(machine, sending.pack(source, wanted), tag, console).run()
    return machine.image_id(tag)


def _take_from_here(machine: Machine, source: str, wanted: str, tag: str) -> None:
    """This machine's engine has the image, because it was built here."""
    found = machine.image_id(source)
    if found is None:
        msg = f"{machine.host.name}: image {source} is not here. Run `make image`."
        raise Refused(msg)
    if found != wanted:
        msg = (
            f"{machine.host.name}: image {source} is not the one that was built "
            f"(got {found[:12]}, built {wanted[:12]}). Run `make image`."
        )
        raise Refused(msg)
    machine.run(containers.tag_image(machine.engine, source, tag))
