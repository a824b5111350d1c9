create table dim_boats_v2_1 (boat integer, sail varchar, crew integer);
create table boats_of_old (boat integer);
