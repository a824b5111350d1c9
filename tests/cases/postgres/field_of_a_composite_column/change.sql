alter table stores drop column address;
