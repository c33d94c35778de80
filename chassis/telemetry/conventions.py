"""Names of attributes: the stable OpenTelemetry semantic conventions 1.45, and our own under `ordermesh.`.

Literals, because the conventions' Python package lags behind the conventions and most of its names are deprecated ones.
"""

# General
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
SERVICE_NAME = "service.name"

# RPC. The method is "package.Service/Method", the status code its name: "OK", "NOT_FOUND".
RPC_SYSTEM_NAME = "rpc.system.name"
RPC_METHOD = "rpc.method"
RPC_RESPONSE_STATUS_CODE = "rpc.response.status_code"

# HTTP. The route is the template, never the path that was asked for.
HTTP_REQUEST_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
URL_SCHEME = "url.scheme"

# Ours
ORDER_ID = "ordermesh.order.id"
ORDER_STATE = "ordermesh.order.state"
STEP = "ordermesh.step"
OUTCOME = "ordermesh.outcome"
# From 1 on: which try of the same work it is. Left out where the first is the only one as a rule.
ATTEMPT = "ordermesh.attempt"
PROVIDER = "ordermesh.provider"
OPERATION = "ordermesh.operation"
QUEUE = "ordermesh.outbox.name"
LIMIT = "ordermesh.limit"
NOTIFICATION_ID = "ordermesh.notification.id"
WEBHOOK_MESSAGE_ID = "ordermesh.webhook.message.id"
WEBHOOK_ENDPOINT_ID = "ordermesh.webhook.endpoint.id"
CERTIFICATE_USE = "ordermesh.certificate.use"
