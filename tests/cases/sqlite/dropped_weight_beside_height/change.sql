alter table boxes drop column weight;
