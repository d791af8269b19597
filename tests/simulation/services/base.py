"""What the clients of all services have in common: refusals and paginators in botocore's shape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError


def refusal(operation: str, code: str, message: str = "", status: int = 400, **more: Any) -> ClientError:
    """Return an error as botocore raises it: `operation` is a client's method, such as `put_object`."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
        **more,
    }
    return ClientError(answer, camel(operation))


def camel(operation: str) -> str:
    return "".join(part.title() for part in operation.split("_"))


@dataclass(frozen=True)
class Pages:
    """How an operation pages: the name of its list, what of an answer goes into the next request as what; page size."""

    listed: str
    markers: Mapping[str, str]
    size: str = ""


@dataclass(frozen=True)
class Paginator:
    """What `client.get_paginator` returns."""

    operation: Callable[..., dict[str, Any]]
    pages: Pages

    def paginate(self, PaginationConfig: Mapping[str, Any] | None = None, **request: Any) -> Iterator[dict[str, Any]]:
        asked = PaginationConfig or {}
        left, size = asked.get("MaxItems"), asked.get("PageSize")
        request = {**request, **({self.pages.size: size} if size and self.pages.size else {})}
        while True:
            page = self.operation(**request)
            found = page.get(self.pages.listed)
            if left is not None and found is not None:
                page = {**page, self.pages.listed: found[:left]}
                left -= len(page[self.pages.listed])
            yield page
            if left == 0 or not any(page.get(name) for name in self.pages.markers):
                return
            markers = {given: page[name] for name, given in self.pages.markers.items() if name in page}
            request = {**request, **markers}


class Service:
    """A client: each operation is a method with boto3's name and keyword arguments."""

    paged: Mapping[str, Pages] = {}

    def get_paginator(self, operation: str) -> Paginator:
        return Paginator(getattr(self, operation), self.paged[operation])
