-- What the demo's customers really have in their warehouses today. `-- database NAME` starts a database.
-- Customers let the role schema_sync_reader read, though not everything.

-- database acme_shop
CREATE TABLE customers (
    customer_id bigint PRIMARY KEY,
    email       text NOT NULL,
    segment     text,
    created_at  timestamptz NOT NULL
);
CREATE TABLE orders (
    order_id    bigint PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status      text NOT NULL,
    amount      numeric(12, 2) NOT NULL,
    ordered_at  timestamptz NOT NULL
);
CREATE VIEW open_orders AS SELECT order_id, customer_id, amount FROM orders WHERE status = 'open';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO schema_sync_reader;

-- database bluebird
CREATE SCHEMA sales;
-- yesterday: `amount numeric`, `coupon text` and `ordered_at timestamptz` were here, `channel` was not
CREATE TABLE sales.orders (
    order_id    bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    amount_usd  numeric(12, 2) NOT NULL,
    ordered_at  text NOT NULL,
    channel     text
);
CREATE VIEW sales.daily_revenue AS SELECT ordered_at AS day, sum(amount_usd) AS revenue FROM sales.orders GROUP BY 1;
CREATE MATERIALIZED VIEW sales.customer_value AS
    SELECT customer_id, sum(amount_usd) AS lifetime_value FROM sales.orders GROUP BY 1;
CREATE TABLE sales."Stores" (store_id integer, city text);
CREATE TABLE sales.refunds_archive (refund_id bigint, order_id bigint);
CREATE TABLE sales.payroll (employee text, salary numeric);
GRANT USAGE ON SCHEMA sales TO schema_sync_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA sales TO schema_sync_reader;
REVOKE ALL ON sales.payroll FROM schema_sync_reader;

-- database cobalt
CREATE SCHEMA fleet;
CREATE SCHEMA billing;
CREATE TABLE fleet.trucks (truck_id integer PRIMARY KEY, plate text, bought_on date);
CREATE TABLE fleet.trips (trip_id bigint, truck_id integer, distance_km double precision, started_at timestamptz);
CREATE TABLE billing.invoices (invoice_id bigint, total integer, issued_on date);
GRANT USAGE ON SCHEMA fleet, billing TO schema_sync_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA fleet, billing TO schema_sync_reader;

-- database ember
-- yesterday: `rentals.film_id` was an integer, `late` was a state, and `box_office` was filled
CREATE TABLE films (film_id integer PRIMARY KEY, title text);
CREATE TABLE calendar (day date PRIMARY KEY, is_holiday boolean NOT NULL);
CREATE TYPE rental_state AS ENUM ('open', 'overdue', 'returned');
CREATE TABLE rentals (
    rental_id bigint PRIMARY KEY,
    film_id   text NOT NULL,
    state     rental_state NOT NULL,
    rented_at timestamptz NOT NULL
);
CREATE MATERIALIZED VIEW box_office AS
    SELECT film_id, count(*) AS rentals FROM rentals GROUP BY film_id WITH NO DATA;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO schema_sync_reader;

-- database harbor
CREATE SCHEMA clinic;
CREATE TABLE clinic.visits (visit_id bigint, patient_id bigint, visited_at timestamptz);
GRANT USAGE ON SCHEMA clinic TO schema_sync_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA clinic TO schema_sync_reader;
