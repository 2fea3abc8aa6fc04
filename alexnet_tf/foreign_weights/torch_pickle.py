"""What a pickle of torch.save tells, without unpickling it.

The pickle's opcodes are looked through one by one. They may make numbers, texts, tuples, lists and
dictionaries, and tensors' descriptions; names of Python objects stay names, none is imported or
called. Anything else is refused.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_OPCODES = 1_000_000
MAX_DIMENSIONS = 8

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS_AND_TEXT = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING", "BINSTRING"),
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO"}


@dataclass(frozen=True)
class Name:
    """Of a Python object, as "module name"."""

    text: str


@dataclass(frozen=True)
class Storage:
    """Numbers in a row: `count` of a type such as "FloatStorage", found by `key`."""

    type: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A part of a storage; offset and strides count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def tensors(content: Any) -> dict[str, Tensor]:
    """The tensors of a state_dict, or of the one in a checkpoint's "state_dict".

    Raises ValueError for anything else.
    """
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise ValueError("expected a state_dict (torch.save(model.state_dict(), FILE))")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"expected a state_dict of tensors alone, received {name!s:.100}")
    return content


def value(file: BinaryIO) -> tuple[Any, int]:
    """What the pickle at a file's beginning holds, and its length in bytes.

    Raises ValueError: it is damaged, or makes something that is not known here.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(file)):
            if count > MAX_OPCODES:
                raise ValueError(f"expected at most {MAX_OPCODES} opcodes")
            if opcode.name == "STOP":
                [result] = stack
                return result, position + 1
            _step(opcode.name, argument, stack, memo)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"expected a pickle of tensors, received another: {error!r}") from error
    raise ValueError("expected the end of a pickle")


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """One opcode, as Python's pickletools documents it."""
    if name in _NUMBERS_AND_TEXT:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "EMPTY_DICT":
        stack.append({})
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "TUPLE":
        stack.append(tuple(_to_mark(stack)))
    elif name in _TUPLES:
        items = [stack.pop() for _ in range(_TUPLES[name])]
        stack.append(tuple(items[::-1]))
    elif name == "GLOBAL":
        stack.append(Name(argument))
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name == "REDUCE":
        arguments = stack.pop()
        stack.append(_made(stack.pop(), arguments))
    elif name == "BUILD":  # OrderedDict's attributes: versions of modules
        state = stack.pop()
        if not isinstance(state, dict) or not isinstance(stack[-1], dict):
            raise ValueError("expected attributes of a dictionary alone")
    elif name == "SETITEM":
        item = stack.pop()
        _put(stack[-2], [stack.pop(), item])
    elif name == "SETITEMS":
        items = _to_mark(stack)
        _put(stack[-1], items)
    elif name == "APPEND":
        item = stack.pop()
        _extend(stack[-1], [item])
    elif name == "APPENDS":
        items = _to_mark(stack)
        _extend(stack[-1], items)
    elif name not in _IGNORED:
        raise ValueError(f"expected a pickle of tensors, received one with {name}")


def _to_mark(stack: list[Any]) -> list[Any]:
    items = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _put(target: Any, items: list[Any]) -> None:
    keys = items[::2]
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("expected a dictionary and pairs")
    if not all(isinstance(key, str | int) for key in keys):  # others may take for ever to hash
        raise ValueError("expected texts and numbers as keys")
    target.update(zip(keys, items[1::2], strict=True))


def _extend(target: Any, items: list[Any]) -> None:
    if not isinstance(target, list):
        raise ValueError("expected a list")
    target.extend(items)


def _storage(identity: Any) -> Storage:
    """("storage", its type, key, device, count), and before PyTorch 1.6 a view, which is none."""
    kind, type_name, key, _, count, *view = identity
    module, _, name = type_name.text.partition(" ")
    if kind != "storage" or module != "torch" or type(count) is not int or view not in ([], [None]):
        raise ValueError("expected a storage of numbers")
    return Storage(name, _text(key), count)


def _made(name: Any, arguments: Any) -> Any:
    """What a call makes, of the three that are known."""
    text = name.text if isinstance(name, Name) else ""
    if text == "collections OrderedDict" and arguments == ():
        return {}
    if text == "torch._utils _rebuild_parameter":
        return _tensor(arguments[0])
    if text in ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"):
        storage, offset, shape, strides = arguments[:4]
        _numbers((offset, *shape, *strides))
        if not isinstance(storage, Storage) or len(shape) != len(strides):
            raise ValueError("expected a tensor's storage, shape and strides")
        return Tensor(storage, offset, tuple(shape), tuple(strides))
    raise ValueError(f"expected tensors alone, received a call of {text!r:.100}")


def _tensor(item: Any) -> Tensor:
    if not isinstance(item, Tensor):
        raise ValueError("expected a tensor")
    return item


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise ValueError("expected a text")
    return item


def _numbers(items: tuple[Any, ...]) -> None:
    if len(items) > 2 * MAX_DIMENSIONS + 1 or not all(type(n) is int and n >= 0 for n in items):
        raise ValueError("expected numbers from 0 on")
