create table till (till integer);
