create type place as (street text, zip text);
create table stores (id integer, address place, site place);
