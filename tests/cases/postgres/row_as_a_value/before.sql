create table parcels (id integer, weight numeric);
