"""Annotations are checked in every call while tests run, each of them once.

jaxtyping's own decorator binds the arguments of every call to a signature and checks them a second
time together with the result, also in functions that name no shape: a sixth of the time of the
whole suite. Here beartype checks arguments and result once; only a function that names a shape
has a scope in which a letter is one number.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeException
from jaxtyping import AbstractArray, TypeCheckError, config, install_import_hook

_whole = jaxtyping.jaxtyped
# A TypeError, as what is wrong would be without checks: callers that take one for damage catch it.
_strict = beartype(conf=BeartypeConf(violation_type=TypeCheckError))


def install(package: str) -> None:
    """Whatever is imported of the package from now on is checked.

    The hook of jaxtyping decorates with what it finds as `jaxtyping.jaxtyped`.
    """
    jaxtyping.jaxtyped = checked
    install_import_hook(package, "beartype.beartype")


def checked(fn: Any = None, *, typechecker: Any = None) -> Any:
    """A function, or the constructor of a dataclass, that refuses what its annotations do not say.

    Args:
        fn: What is decorated; without it, this is a decorator.
        typechecker: What jaxtyping is told to check with where the annotations of a function cannot
            be read before its first call.
    """
    if fn is None:
        return functools.partial(checked, typechecker=typechecker)
    if not isinstance(fn, FunctionType):
        return _whole(fn, typechecker=typechecker)
    written = fn.__annotations__.copy()
    try:
        hints = get_type_hints(fn, include_extras=True)
        strict = _strict(fn)
    except (
        NameError,
        BeartypeException,
    ):  # a name is defined further down, or never while tests run
        return _whole(fn, typechecker=typechecker)
    fn.__annotations__ = strict.__annotations__ = written  # beartype puts types in their place
    if strict is fn:
        return fn
    has_scope = any(map(_names_shape, hints.values()))
    return (_in_a_scope if has_scope else _checked)(fn, strict)


def _names_shape(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(map(_names_shape, get_args(hint)))


def _checked(fn: Callable[..., Any], strict: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        return (fn if config.jaxtyping_disable else strict)(*args, **kwargs)

    return called


def _in_a_scope(fn: Callable[..., Any], strict: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        if config.jaxtyping_disable:
            return fn(*args, **kwargs)
        with _whole("context"):
            return strict(*args, **kwargs)

    return called
