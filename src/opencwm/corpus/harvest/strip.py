"""What of a definition does not change its run: docstrings, annotations, imports that are replaced.

Works on a copy. A class whose annotations mean something (a dataclass, a named tuple) keeps its fields, with
``object`` in place of each type.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable
from typing import Final

from opencwm.corpus.harvest.modules import FunctionNode, imported_names

_BUILTINS: Final = frozenset(dir(builtins))
_KEPT_ANNOTATIONS: Final = ("ClassVar", "InitVar", "KW_ONLY")
_TYPED_BASES: Final = frozenset({"NamedTuple", "TypedDict", "Struct", "BaseModel"})
_PYTHON_DECORATORS: Final = frozenset(
    {
        "property",
        "staticmethod",
        "classmethod",
        "cached_property",
        "cache",
        "lru_cache",
        "wraps",
        "setter",
        "getter",
        "deleter",
        "contextmanager",
        "abstractmethod",
        "singledispatch",
        "register",
        "singledispatchmethod",
    }
)
_TYPED_DECORATORS: Final = frozenset({"dataclass", "define", "attrs", "s", "frozen", "mutable"})


def stripped(
    node: ast.stmt, package: str, owns: Callable[[str], bool], *, keep_decorators: bool = True
) -> tuple[ast.stmt, dict[str, tuple[str, str]]]:
    """Return a copy without what does not matter, and the imports taken out of its functions.

    Args:
        node: a top-level statement, or a member of a class.
        package: what relative imports start from.
        owns: tells whether a module belongs to the package; imports of those are taken out.
        keep_decorators: whether functions keep decorators that are not of Python itself.
    """
    stripper = _Stripper(package, owns, keep_decorators=keep_decorators)
    made = stripper.visit(copy.deepcopy(node))
    if made is None:
        made = ast.Pass()
    return ast.fix_missing_locations(made), stripper.imports


def is_typed_class(node: ast.ClassDef) -> bool:
    """Whether the annotations of a class make its fields."""
    for base in node.bases:
        if _last_name(base) in _TYPED_BASES:
            return True
    return any(_last_name(decorator) in _TYPED_DECORATORS for decorator in node.decorator_list)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class _Stripper(ast.NodeTransformer):
    def __init__(self, package: str, owns: Callable[[str], bool], *, keep_decorators: bool) -> None:
        self._keep_decorators = keep_decorators
        self._package = package
        self._owns = owns
        self._typed = [False]
        self._depth = 0
        self.imports: dict[str, tuple[str, str]] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: FunctionNode) -> ast.AST:
        node.returns = None
        if not self._keep_decorators:
            node.decorator_list = [
                made for made in node.decorator_list if _last_name(made) in _PYTHON_DECORATORS
            ]
        if hasattr(node, "type_params"):
            node.type_params = []
        node.type_comment = None
        self._typed.append(False)
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        self._typed.pop()
        node.body = node.body or [ast.Pass()]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._typed.append(is_typed_class(node))
        if hasattr(node, "type_params"):
            node.type_params = []
        self.generic_visit(node)
        self._typed.pop()
        node.body = node.body or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant):
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if self._typed[-1]:
            text = ast.unparse(node.annotation)
            if not any(word in text for word in _KEPT_ANNOTATIONS) and text not in _BUILTINS:
                node.annotation = ast.Name("object", ast.Load())
            if node.value is not None:
                node.value = self.visit(node.value)
            return node
        if node.value is None:
            return None
        return ast.Assign([self.visit(node.target)], self.visit(node.value))

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        found = imported_names(node, self._package)
        if any(self._owns(module) for module, _ in found.values()):
            self.imports.update(found)
            return None
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            if getattr(node, name, None) == [] and name == "body" and isinstance(node, ast.stmt):
                node.body = [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.ExceptHandler | ast.match_case) and not node.body:
            node.body = [ast.Pass()]
        return node
