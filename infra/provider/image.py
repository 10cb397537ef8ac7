"""An image on a host: there under the stack's own tag, with the id that was built."""

from collections.abc import Mapping

from infra.commands import containers
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import Plain, Refused, Resource, differs, machine_of

PART = "image"


class Image(Resource):
    """Inputs: `host`, `machine_id`, `source` (build's tag), `tag` (the stack's), `image_id`."""

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """The one image."""
        return (PART,)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Tags the built image for the stack, unless the host has it so already."""
        machine = machine_of(inputs)
        tag, wanted = str(inputs["tag"]), containers.short_id(str(inputs["image_id"]))
        if machine.image_id(tag) != wanted:
            self._bring(machine, str(inputs["source"]), tag, wanted)
        return {}

    def _bring(self, machine: Machine, source: str, tag: str, wanted: str) -> None:
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

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Brings the new image beside the old; the release removes old ones beyond `keep`."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Whether the tag is there, with the id that was put there."""
        found = machine_of(state).image_id(str(state["tag"]))
        if found is None:
            return {PART: "removed"}
        wanted = containers.short_id(str(state["image_id"]))
        return {PART: differs(found, wanted, f"replaced by image {found[:12]}")}

    def delete(self, state: Plain, console: Console) -> None:
        """Takes away every tag that the stack has of this image, kept releases included."""
        machine = machine_of(state)
        for tag in machine.image_tags(str(state["tag"]).rpartition(":")[0]):
            machine.run(containers.remove_tag(machine.engine, tag))
