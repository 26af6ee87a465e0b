"""The command that was typed, to be typed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import typer

from orthogan.terminal import pasteable

if TYPE_CHECKING:
    Context: TypeAlias = typer.Context
else:  # what the parser hands out is of the base class, which typer does not export
    Context = typer.Context.__mro__[1]

# Where a value comes from that somebody typed; the parser's own enumeration is not exported.
TYPED = "COMMANDLINE"


def command_line(context: Context) -> str:
    """The running command with every argument and option that was typed, ready for a shell.

    Args:
        context: Of the running command.
    """
    return pasteable(typed_words(context))


def typed_words(context: Context) -> list[str]:
    """The same as words, the first of them the program.

    Args:
        context: Of the running command.
    """
    arguments: list[str] = []
    options: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != TYPED:
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":
            arguments += map(str, value if isinstance(value, list | tuple) else [value])
        elif value is True:
            options.append(parameter.opts[0])
        else:
            for each in value if isinstance(value, list | tuple) else [value]:  # repeatable
                options += [parameter.opts[0], str(each)]
    if any(argument.startswith("-") for argument in arguments):
        return [*context.command_path.split(), *options, "--", *arguments]
    return [*context.command_path.split(), *arguments, *options]
