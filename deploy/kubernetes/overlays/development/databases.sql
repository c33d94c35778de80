-- One database for each service: none reads another's tables.
CREATE DATABASE ordermesh_order;
CREATE DATABASE ordermesh_tax;
CREATE DATABASE ordermesh_payment;
CREATE DATABASE ordermesh_notify;
CREATE DATABASE ordermesh_gateway;
