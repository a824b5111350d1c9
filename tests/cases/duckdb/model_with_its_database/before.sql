create schema attic;
create table attic.trunks (trunk integer);
