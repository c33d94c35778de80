"""Twenty secrets and pieces of personal data that are given to a mesh, and must not come out of it again."""

# In the environment of the mesh.
ENVIRONMENT = {
    "STRIPE_API_KEY": "sk_test_c4n4rySTRIPE0123456789",
    "STRIPE_WEBHOOK_SECRET": "whsec_c4n4ryHOOK0123456789abcdef",
    "AVATAX_LICENSE_KEY": "C4N4RYAVALARA0123",
    "SENDGRID_API_KEY": "SG.c4n4ryGRID012345.abcdefghijklmnopqrstuvwxyz",
}

# In headers and metadata of requests.
HEADERS = {
    "authorization": "Bearer c4n4ryBEARER.token-0123456789",
    "cookie": "session=c4n4ryCOOKIE0123456789",
    "x-api-key": "omk_c4n4ryAPIKEY0123456789",
    "x-forwarded-for": "c4n4ryADDRESS.example",
    "user-agent": "c4n4ryAGENT/1.0",
    "tracestate": "vendor=sk_live_c4n4ryTRACE0123",
    "x-request-id": "sk_live_c4n4ryREQUEST0123",
}

# Those of them that do not keep a request from being let in.
HARMLESS_HEADERS = {name: value for name, value in HEADERS.items() if name not in {"authorization", "x-forwarded-for"}}

# In the texts of requests: some that have a shape, and some that only the one who wrote them knows.
TEXTS = (
    "rk_live_c4n4ryTEXT0123456789",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjNG40cnlKV1QifQ.c4n4rySIGNATURE",
    "4000 0566 5566 5556",
    "c4n4ryMAILBOX@example.com",
    "Ada c4n4ryNAME",
    "1 c4n4rySTREET",
    "c4n4ryPLAIN",
)

# In query, path and body of requests that nothing answers.
STRAY = ("4242424242424242", "c4n4ryPATH0123")

ALL = (*ENVIRONMENT.values(), *HEADERS.values(), *TEXTS, *STRAY)

# What to look for: each holds one of these, and nothing else does.
_MARKS = (b"c4n4ry", b"C4N4RY", b"0566 5566", b"0566556655", b"4242424242424242", b"jNG40cnlKV1")


def found_in(output: bytes) -> list[str]:
    """Return what surrounds each canary in an output."""
    places = []
    for mark in _MARKS:
        at = output.find(mark)
        while at >= 0:
            places.append(output[max(0, at - 160) : at + 60].decode(errors="replace"))
            at = output.find(mark, at + 1)
    return places
