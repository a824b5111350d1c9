create table boxes (id integer, weight real, height real);
