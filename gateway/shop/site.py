"""The demo shop's files: three pages, what they load, and under which policy a browser runs them."""

from importlib import resources

from jinja2 import Environment, PackageLoader
from starlette.routing import Route

from gateway.fixed import fixed

# All that a page loads comes from here, nothing in it is inline, and its forms are sent by its own scripts alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The API's no-referrer would have browsers say `Origin: null` to the API, which takes that for another site.
_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
_PAGES = {
    "/shop": "catalogue.html",
    "/shop/checkout": "checkout.html",
    # Its script reads from the address which order it is.
    "/shop/orders/{order_id}": "order.html",
}
_KINDS = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def routes(sandbox_url: str) -> list[Route]:
    """Return the routes of the whole shop.

    Args:
        sandbox_url: Where the sandbox listens, as browsers reach it: its bank and its mailbox are linked.
    """
    templates = Environment(
        loader=PackageLoader("gateway.shop", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages = {
        path: fixed(
            templates.get_template(name).render(sandbox=sandbox_url).encode(), "text/html; charset=utf-8", _HEADERS
        )
        for path, name in _PAGES.items()
    }
    folder = resources.files("gateway.shop").joinpath("files")
    files = {
        f"/shop/{file.name}": fixed(file.read_bytes(), _KINDS[file.name.rpartition(".")[2]], _HEADERS)
        for file in folder.iterdir()
    }
    return [Route(path, page) for path, page in (files | pages).items()]
