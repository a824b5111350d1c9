create table shelves (id integer, label);
