"""The contract of Ordermesh in Python: `from ordermesh.order.v1 import order_service_pb2_grpc`."""
