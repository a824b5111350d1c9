create table kilns (id integer, heat varchar);
create view firings as select id, heat from kilns;
