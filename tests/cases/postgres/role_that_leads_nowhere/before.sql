create table visits (id integer, vet_id integer);
