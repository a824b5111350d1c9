create table barges (id integer, dock text);
create table docks (id integer, name text, depth text);
