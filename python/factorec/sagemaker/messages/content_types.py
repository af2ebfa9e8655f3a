"""Which type a request has and which its response is to have."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from .errors import NotAcceptableError, UnsupportedContentTypeError

__all__ = ["CSV", "JSON", "JSON_LINES", "RECORDIO", "ContentType", "choose_response_type", "parse_content_type"]

JSON = "application/json"
JSON_LINES = "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
CSV = "text/csv"

RESPONSE_TYPES = (JSON, JSON_LINES, RECORDIO)
# A guess (contract 3.2: unverified): a request that does not say what it is is taken as JSON.
DEFAULT_CONTENT_TYPE = JSON
# A guess (unverified but for JSON): a response that nobody asked to be of some type is of the request's. There is
# no CSV response for either model, so that such a request gets JSON.
DEFAULT_ACCEPT = {JSON: JSON, JSON_LINES: JSON_LINES, RECORDIO: RECORDIO, CSV: JSON}


@dataclass(frozen=True)
class ContentType:
    """A media type and its parameters, all in lower case.

    Attributes
    ----------
    name : str
        Such as ``"application/json"``.
    parameters : dict of str to str
    """

    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ContentType:
        """Read a header's value; never fails.

        Examples
        --------
        >>> ContentType.parse('Application/JSON; Verbose=True ;;q = "0.5"')
        ContentType(name='application/json', parameters={'verbose': 'true', 'q': '0.5'})
        """
        name, *rest = text.lower().split(";")
        parameters = {}
        for part in rest:
            key, equals, value = part.partition("=")
            if equals:
                parameters[key.strip()] = value.strip().strip('"').strip()
        return cls(name.strip(), parameters)

    @property
    def verbose(self) -> bool:
        """Whether the response is to have everything that the model can say."""
        return self.parameters.get("verbose") == "true"

    @property
    def quality(self) -> float:
        """How much the type is wanted, from 0 to 1; 1 if that cannot be read."""
        try:
            return min(max(float(self.parameters.get("q", "1")), 0.0), 1.0)
        except ValueError:
            return 1.0

    def matches(self, name: str) -> bool:
        """Whether the type, which may be a pattern such as ``application/*``, covers `name`."""
        return self.name in (name, "*/*", "*", "") or (self.name.endswith("/*") and name.startswith(self.name[:-1]))


def parse_content_type(header: str | None, known: Collection[str]) -> ContentType:
    """The type of a request.

    Parameters
    ----------
    header : str or None
        The header ``Content-Type``; None or empty: JSON.
    known : collection of str
        What the model takes.

    Raises
    ------
    UnsupportedContentTypeError
        For any other type.

    Examples
    --------
    >>> parse_content_type("text/csv; label_size=0", ["text/csv"])
    ContentType(name='text/csv', parameters={'label_size': '0'})
    """
    given = ContentType.parse(header or DEFAULT_CONTENT_TYPE)
    if given.name not in known:
        raise UnsupportedContentTypeError(
            f"content-type {given.name[:100]} not supported; this model takes {', '.join(known)}"
        )
    return given


def choose_response_type(accept: str | None, request: str) -> ContentType:
    """The type of the response.

    Parameters
    ----------
    accept : str or None
        The header ``Accept``: one type or a list of them, each with parameters. The first of the highest quality
        ``q`` is taken.
    request : str
        The type of the request: what the response is where the header leaves it open.

    Raises
    ------
    NotAcceptableError
        If there is no response of any of the types.

    Examples
    --------
    >>> choose_response_type("text/html;q=0.9, */*;q=0.8", "application/json").name
    'application/json'
    >>> choose_response_type("application/jsonlines; verbose=True", "application/json").verbose
    True
    """
    default = DEFAULT_ACCEPT[request]
    wanted = [ContentType.parse(part) for part in (accept or "*/*").split(",")]
    for one in sorted(wanted, key=lambda type_: -type_.quality):  # stable: in the order given where equal
        if one.quality > 0:
            for name in (default, *RESPONSE_TYPES):
                if one.matches(name):
                    return ContentType(name, one.parameters)
    raise NotAcceptableError(
        f"Accept type '{(accept or '')[:100]}' is not supported; this model gives {', '.join(RESPONSE_TYPES)}"
    )
