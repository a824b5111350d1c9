create table trips (id integer, fare numeric);
create table legs (id integer, trip integer, miles numeric);
