"""Writes and initializations that do not reach the intended parameter."""

from __future__ import annotations

from initaudit.finding import Observer, Place
from initaudit.subjects.base import Fact


class DroppedTensor(Fact, frozen=True, kw_only=True):
    """A statement that creates a new tensor and discards it.

    ``call`` is canonical ("torch.full"), ``parameter`` the parameter whose size or values it takes, in class ``model``.
    ``inplace`` is the source of the in-place form, when there is one.
    """

    place: Place
    call: str
    parameter: str | None
    model: str | None
    target: str
    inplace: str | None = None


class BareReference(Fact, frozen=True, kw_only=True):
    """An expression statement that only names an initializer: ``init.xavier_uniform_``, also ``within`` a ``map`` or a
    generator that nothing iterates over.

    ``parameters`` are those of class ``model`` that the call would have initialized and nothing else does.
    """

    place: Place
    source: str
    callable_without_arguments: bool
    within: str | None = None
    model: str | None = None
    parameters: tuple[str, ...] = ()


class HelperCall(Fact, frozen=True, kw_only=True):
    """A call that passes a parameter to a helper that does nothing unless its argument is a module.

    ``argument`` is the parameter ("m.weight"), ``module`` what it belongs to ("m"), and ``guard`` the test of the
    helper that no tensor passes. They are "self" for a model that is passed to a helper for its layers. For a parameter
    of ``self``, ``model`` is the class and ``parameter`` the name in it.
    """

    place: Place
    helper: str
    argument: str
    module: str
    guard: str
    model: str | None = None
    parameter: str | None = None


class CopyWrite(Fact, frozen=True, kw_only=True):
    """A write of a copy of a parameter that nothing reads.

    ``target`` is the source of the parameter, or its name, and ``how`` what copies it ("`clone`", "advanced indexing");
    ``certain`` says that this always copies. ``parameter`` is the parameter of class ``model`` that was copied.
    """

    observer: Observer
    place: Place
    target: str
    how: str
    certain: bool
    model: str | None = None
    parameter: str | None = None


class DerivedWrite(Fact, frozen=True, kw_only=True):
    """A write to a weight that is computed from other parameters, and so is recomputed before its next use.

    ``target`` is the source of the weight ("m.weight"), ``layer`` the class of its module, and ``by`` the canonical
    name of what derives it ("torch.nn.utils.weight_norm"). ``initializer`` is the function that ``apply`` is given
    ("init_weights"). ``loaded`` says that every program loads a checkpoint into the model.
    """

    observer: Observer
    place: Place
    target: str
    layer: str
    by: str
    initializer: str = ""
    loaded: bool = False


class LeafWrite(Fact, frozen=True, kw_only=True):
    """A write in place to a parameter that autograd records (``source``), or to a ``view`` of one. In a method,
    ``model`` is its class."""

    place: Place
    source: str
    parameter: str
    model: str | None = None
    view: bool = False


class ReboundName(Fact, frozen=True, kw_only=True):
    """An assignment of a new tensor to a name that stood for a parameter, and that nothing reads afterwards.

    ``stood_for`` is the source of what the name was bound to ("m.weight.data"), or of the walk that a loop takes
    it from ("net.parameters()"; then ``in_loop``), and ``value`` the source of the new tensor.
    """

    place: Place
    name: str
    stood_for: str
    value: str
    in_loop: bool


class DroppedInitializerResult(Fact, frozen=True, kw_only=True):
    """A call of a function that makes new values for its argument and returns them, whose result is dropped; or an
    use of the result of a function that writes in place and ``returns_none``.

    ``helper`` is the function as it is called, and ``target`` the source of the parameter, or of a new ``layer``;
    ``applied`` says that ``apply`` calls it with a module, ``written`` that it writes into its argument before.
    """

    place: Place
    helper: str
    target: str
    written: bool = False
    returns_none: bool = False
    applied: bool = False
    layer: bool = False


class LikeOfExpression(Fact, frozen=True, kw_only=True):
    """``torch.ones_like(a * b)``: of the expression only the shape is used. ``factory`` is the function's name."""

    place: Place
    source: str
    factory: str


class RegisteredTwice(Fact, frozen=True, kw_only=True):
    """``self.register_parameter("bias", self.weight)``: ``other`` of class ``model``, under another ``name`` too.

    ``unread`` says that nothing reads the second name: it is one of the state dict alone.
    """

    place: Place
    model: str
    name: str
    other: str
    unread: bool = False


class AssignedTensor(Fact, frozen=True, kw_only=True):
    """A tensor that is no parameter, assigned to the name of one of a layer of torch, which raises.

    ``target`` is the source of the parameter, ``value`` that of the tensor, ``name`` the parameter's name in the layer.
    ``registers`` says that ``register_parameter`` is given the tensor.
    """

    place: Place
    target: str
    value: str
    name: str
    registers: bool = False


class ForeignWrite(Fact, frozen=True, kw_only=True):
    """A function for ``apply`` that writes parameters of one module by its name, and none of its own ``element``."""

    place: Place
    function: str
    element: str
    target: str


class MisnamedParameter(Fact, frozen=True, kw_only=True):
    """A write to a name that a layer of torch does not have, and that is nearly one that it has.

    ``target`` is the source of what is written ("self.words.weights"), ``layer`` the class of the layer ("nn.Linear")
    and ``meant`` the name that it has. ``raises`` says that the code reads the name, which nothing gives the layer;
    otherwise it gives it that name, which nothing reads.
    """

    place: Place
    target: str
    layer: str
    meant: str
    raises: bool
