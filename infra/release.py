"""What a release is: its id, and the settings that reach the service process. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from infra.config import Service
from service import contract

RELEASE_VARIABLE = contract.ENV_RELEASE


def environment(service: Service) -> dict[str, str]:
    """The service's settings as its environment, without the release id."""
    return {
        contract.ENV_MODELS: ",".join(service.models),
        contract.ENV_AUTH: service.auth,
        contract.ENV_DOCS: "on" if service.docs else "off",
        contract.ENV_THREADS: str(service.threads),
    }


def release_id(image_tags: Iterable[str], settings: Mapping[str, str], memory_mib: int) -> str:
    """The id: a hash of the build's inputs and of what reaches the service process.

    Args:
        image_tags: the build's tags, one for each accelerator of the stack, each itself a hash of
            the bento, the recipe and the base. Never a digest: the same image has another one
            after save, load or pull.

    Returns:
        12 hex digits. Replicas, hosts, gate, rollout, SLOs and keys are not in it.
    """
    text = json.dumps([",".join(sorted(image_tags)), sorted(settings.items()), memory_mib])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stack_tag(stack: str, build_tag: str) -> str:
    """The stack's own tag of an image: `destroy` removes it and leaves the build's."""
    name, _, version = build_tag.rpartition(":")
    return f"localhost/bentofleet-{stack}/{name.rpartition('/')[2]}:{version}"


def build_tag(stack_tag: str) -> str:
    """The build's tag that a stack's own one was made from."""
    return f"localhost/bentofleet/{stack_tag.rpartition('/')[2]}"
