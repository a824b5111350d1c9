create table flights (no integer, from_code text, to_code text);
create table airports (code text, city text);
