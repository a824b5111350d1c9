create schema mart;
create table mart.pies (pie integer);
create schema public_mart;
create table public_mart.tarts (tart integer);
