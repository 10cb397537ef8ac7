"""Who may import whom, by the folders: the test that keeps the layers of CONTRIBUTING.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"bentos", "service", "infra", "loadtests", "cameratraps", "benchmarks"}
TRAINING = {"torch", "xgboost", "onnx", "onnxmltools", "pandas", "mlflow", "pnnx"}

SPECS = {"bentos.spec", "bentos.catalog", "bentos.converted"}
MAY_IMPORT = {
    "bentos": {"bentos"},
    "service": {"bentos", "service"},
    "loadtests": {"loadtests", "service.contract", *SPECS},
    "cameratraps": {
        "cameratraps",
        "service.contract",
        "service.models",
        "service.runtimes.choice",
        "service.api.problems",
        *SPECS,
    },
    "benchmarks": {
        *("benchmarks", "bentos", "service", "loadtests.slo", "loadtests.figures"),
        *("infra.commands", "infra.config_edge", "infra.config_rollout", "infra.connection"),
        *("infra.host", "infra.provider"),
    },
    "infra": {
        "infra",
        "service.contract",
        "loadtests.alike",
        "loadtests.analysis",
        "loadtests.checks",
        "loadtests.durations",
        "loadtests.evidence",
        "loadtests.filling",
        "loadtests.payloads",
        "loadtests.reasons",
        "loadtests.slo",
        "loadtests.verdict",
        *SPECS,
    },
}
INFRA_MAY_IMPORT = {
    "infra.complaints": set(),
    "infra.faults": set(),
    "infra.addresses": {"infra.faults"},
    "infra.section": {"infra.addresses"},
    "infra.host_keys": {"infra.faults"},
    "infra.config_hosts": {"infra.addresses", "infra.host_keys", "infra.section"},
    "infra.config_edge": {
        "infra.addresses",
        "infra.config_hosts",
        "infra.faults",
        "infra.section",
    },
    "infra.config_rollout": {"infra.faults", "infra.section"},
    "infra.config_analysis": {"infra.faults", "infra.section"},
    "infra.config_images": {"infra.faults", "infra.section"},
    "infra.config": {
        "infra.addresses",
        "infra.config_analysis",
        "infra.config_edge",
        "infra.config_hosts",
        "infra.config_images",
        "infra.config_rollout",
        "infra.faults",
        "infra.section",
    },
    "infra.host": {"infra.config"},
    "infra.release": {"infra.config"},
    "infra.certificates": {"infra.config_edge"},
    "infra.commands": {"infra.commands", "infra.config", "infra.config_edge", "infra.host"},
    "infra.connection": {
        "infra.commands",
        "infra.config",
        "infra.connection",
        "infra.host",
        "infra.host_keys",
    },
    "infra.resources": {
        "infra.config",
        "infra.config_edge",
        "infra.host",
        "infra.resources",
    },
    "infra.targets": {"infra.config", "infra.config_hosts", "infra.host", "infra.resources"},
    "infra.hours": {"infra.config_rollout"},
    "infra.provider": {
        "infra.provider",
        "infra.hours",
        "infra.commands",
        "infra.complaints",
        "infra.connection",
        "infra.config",
        "infra.config_analysis",
        "infra.config_edge",
        "infra.host",
        "infra.images",
    },
    "infra.doctor": {
        "infra.doctor",
        "infra.certificates",
        "infra.commands",
        "infra.complaints",
        "infra.config",
        "infra.config_edge",
        "infra.connection",
        "infra.host",
        "infra.images",
        "infra.stack_file",
        "infra.token_keys",
        "infra.versions",
    },
    "infra.images": {
        "infra.complaints",
        "infra.images",
        "infra.stack_file",  # which accelerators a stack has
        "infra.versions",
    },
}


def modules(folder: str) -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(), filename=str(path))
    return found


ALL = {name: tree for folder in sorted(OURS) for name, tree in modules(folder).items()}


def imports(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def ours(names: set[str]) -> set[str]:
    """Imported modules of ours, each as the longest name that is a module."""
    return {n for n in names if n.split(".")[0] in OURS and n in ALL}


def is_allowed(name: str, allowed: set[str]) -> bool:
    return any(name == a or name.startswith(f"{a}.") for a in allowed)


def is_only_a_package(name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_module_imports_only_from_the_layers_below_it(name: str) -> None:
    allowed = MAY_IMPORT[name.split(".")[0]]
    wrong = {
        i
        for i in ours(imports(ALL[name]))
        if not is_allowed(i, allowed) and not is_only_a_package(i)
    }
    assert wrong == set()


def part_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("name", sorted(n for n in ALL if part_of(n) in INFRA_MAY_IMPORT))
def test_inside_infra_pure_parts_do_not_import_what_runs_things(name: str) -> None:
    allowed = INFRA_MAY_IMPORT[part_of(name)]
    wrong = {
        i
        for i in ours(imports(ALL[name]))
        if i.startswith("infra.") and not is_allowed(i, allowed) and not is_only_a_package(i)
    }
    assert wrong == set()


@pytest.mark.parametrize("folder", ["service", "infra", "loadtests", "cameratraps", "benchmarks"])
def test_training_libraries_are_imported_in_bentos_only(folder: str) -> None:
    tops = {n.split(".")[0] for tree in modules(folder).values() for n in imports(tree)}
    assert tops & TRAINING == set()


@pytest.mark.parametrize(
    "name",
    [
        *sorted(SPECS),
        "service.contract",
        "loadtests.alike",
        "loadtests.analysis",
        "loadtests.filling",
        "loadtests.payloads",
        "loadtests.slo",
        "loadtests.verdict",
    ],
)
def test_what_every_layer_reads_needs_the_standard_library_only(name: str) -> None:
    import sys

    seen: set[str] = set()
    todo = [name]
    while todo:
        module = todo.pop()
        if module in seen or module not in ALL:
            continue
        seen.add(module)
        for imported in imports(ALL[module]):
            top = imported.split(".")[0]
            assert top in OURS | sys.stdlib_module_names, f"{module} imports {imported}"
            todo.append(imported)


def test_no_module_is_named_for_nothing() -> None:
    assert [n for n in ALL if n.split(".")[-1] in {"utils", "common", "helpers", "misc"}] == []
