"""The contracts of orthogan's parts, for the tests of packages that bring parts.

A test file of such a package is two statements:

```python
from orthogan.testing import contracts_of

globals().update(contracts_of("orthogan-stripes"))
```

Every part that the package's entry points name is then tested as ours are, by pytest. A single
contract is a class to inherit from: `orthogan.testing.losses.LossContract` and its like.
"""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from orthogan.errors import ConfigError
from orthogan.plugins import failure, installed

# Before the modules are imported: pytest then shows both sides of what an assertion compares.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)

from orthogan.testing.contract import Contract  # noqa: E402

__all__ = ["Contract", "contracts", "contracts_of"]


def contracts() -> list[type[Contract]]:
    """Every contract: of losses, penalties, networks and so on."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return [each for each in _below(Contract) if each.__module__.startswith(f"{__name__}.")]


def contracts_of(package: str) -> dict[str, type[Contract]]:
    """The contracts of the parts that an installed package brings, as classes for pytest.

    Args:
        package: The name of the package, as pip knows it.

    Raises:
        ConfigError: it brings no parts, or one of them fails to import.
    """
    parts = [each for each in installed() if each.package == package]
    if not parts:
        raise ConfigError(
            f"No installed package '{package}' has entry points of orthogan; install it first."
        )
    for part in parts:
        if why := failure(part):
            raise ConfigError(f"{package}: {part.name} ({part.point.value}) fails to import: {why}")
    distribution = parts[0].distribution
    found = {}
    for contract in contracts():
        registry = contract.registry
        names = tuple(name for name in registry if registry.origin(name) == distribution)
        if names:
            title = f"Test{contract.__name__.removesuffix('Contract')}"
            found[title] = type(title, (contract,), {"names": names})
    return found


def _below(kind: type[Contract]) -> list[type[Contract]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *_below(sub))]
