"""Decides a task's condition, an expression of CEL, as TFX's `Cond` and kfp's `If` compile to it.

The part of the language that these two write: inputs, literals, comparisons, `&&`, `||`, `!`, `+`.
Anything else is refused. Source: tfx compiler_utils.placeholder_to_cel; github.com/google/cel-spec.
"""

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from fareline.errors import FarelineError
from runners.replay.reading.document import to_python

_TOKENS = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\""
    r"|(?P<word>[A-Za-z_]\w*)|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!+()\[\].]))"
)
_NAMED = re.compile(r"inputs\.(artifacts|parameters|parameter_values)\['([^']+)'\]")
_WORDS = {"true": True, "false": False, "null": None}


class ConditionError(FarelineError, ValueError):
    """A condition cannot be decided."""


def inputs_named(condition: str) -> set[tuple[str, str]]:
    """The inputs that a condition reads: pairs of `artifacts` or `parameters`, and the name."""
    kinds = {"parameter_values": "parameters"}
    return {(kinds.get(kind, kind), name) for kind, name in _NAMED.findall(condition)}


def decide(condition: str, inputs: pipeline_spec_pb2.ExecutorInput.Inputs) -> bool:
    """Evaluates a condition.

    Args:
        condition: The expression.
        inputs: Inputs of the task.

    Raises:
        ConditionError: The condition has unknown parts or names, or is not a truth value.
    """
    parameters = {k: to_python(v) for k, v in inputs.parameter_values.items()}
    tree = {
        "inputs": {
            "artifacts": {
                key: {"artifacts": [_artifact(a) for a in listed.artifacts]}
                for key, listed in inputs.artifacts.items()
            },
            "parameters": parameters,
            "parameter_values": parameters,
        }
    }
    value = _Parser(condition, tree).parse()
    if not isinstance(value, bool):
        raise _cannot(condition, f"it comes out as {value!r}", "expected true or false")
    return value


def _artifact(artifact: pipeline_spec_pb2.RuntimeArtifact) -> dict[str, Any]:
    metadata = json_format.MessageToDict(artifact.metadata)
    return {"uri": artifact.uri, "name": artifact.name, "metadata": metadata}


class _Parser:
    """Recursive descent that evaluates as it reads; both sides of `&&` and `||` are evaluated."""

    def __init__(self, text: str, tree: Mapping[str, Any]):
        self._text = text
        self._tree = tree
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while text[position:].strip():
            match = _TOKENS.match(text, position)
            if match is None:
                raise _cannot(text, f"{text[position:].strip()[:20]!r} is not known here")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
            position = match.end()

    def parse(self) -> Any:
        value = self._either()
        if self._at < len(self._tokens):
            raise _cannot(self._text, f"{self._tokens[self._at][1]!r} follows its end")
        return value

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = self._truth(value) or self._truth(other)
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            other = self._compared()
            value = self._truth(value) and self._truth(other)
        return value

    def _compared(self) -> Any:
        left = self._sum()
        for sign in ("==", "!=", "<=", ">=", "<", ">"):
            if self._take(sign):
                return self._compare(sign, left, self._sum())
        return left

    def _compare(self, sign: str, left: Any, right: Any) -> bool:
        if sign in ("==", "!="):
            same = type(left) is type(right) and left == right
            return same if sign == "==" else not same
        if type(left) is not type(right) or isinstance(left, bool) or left is None:
            raise _cannot(self._text, f"{left!r} and {right!r} cannot be compared by {sign}")
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
            sign
        ]

    def _sum(self) -> Any:
        value = self._unary()
        while self._take("+"):
            other = self._unary()
            if type(value) is not type(other) or not isinstance(value, (str, float)):
                raise _cannot(self._text, f"{value!r} and {other!r} cannot be added")
            value = value + other
        return value

    def _unary(self) -> Any:
        if self._take("!"):
            return not self._truth(self._unary())
        return self._member()

    def _member(self) -> Any:
        value = self._primary()
        while True:
            if self._take("."):
                value = self._step(value, self._next("word"))
            elif self._take("["):
                kind, token = self._pop()
                key = int(float(token)) if kind == "number" else token
                value = self._step(value, key)
                self._expect("]")
            else:
                return value

    def _primary(self) -> Any:
        if self._take("("):
            value = self._either()
            self._expect(")")
            return value
        kind, token = self._pop()
        if kind == "number":
            return float(token)  # as every number of a JSON Struct is
        if kind in ("single", "double"):
            return token
        if kind == "word":
            if token in _WORDS:
                return _WORDS[token]
            if token in self._tree:
                return self._tree[token]
        raise _cannot(self._text, f"{token!r} is not known here")

    def _step(self, value: Any, key: str | int) -> Any:
        try:
            return value[key]
        except (KeyError, IndexError, TypeError):
            raise _cannot(self._text, f"{key!r} is not there") from None

    def _truth(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise _cannot(self._text, f"{value!r} is neither true nor false")
        return value

    def _take(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _cannot(self._text, f"a {sign!r} is missing")

    def _next(self, kind: str) -> str:
        found, token = self._pop()
        if found != kind:
            raise _cannot(self._text, f"{token!r} stands where a name should")
        return token

    def _pop(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise _cannot(self._text, "it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _cannot(
    condition: str, found: str, expected: str = "expected inputs, literals and comparisons"
) -> ConditionError:
    return ConditionError.explain(
        f"condition {condition}", found, expected, "see triggerPolicy in the specification"
    )
