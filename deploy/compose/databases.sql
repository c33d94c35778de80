-- One database for each part that keeps tables: none reads another's.
CREATE DATABASE ordermesh_order;
CREATE DATABASE ordermesh_tax;
CREATE DATABASE ordermesh_payment;
CREATE DATABASE ordermesh_notify;
CREATE DATABASE ordermesh_gateway;
