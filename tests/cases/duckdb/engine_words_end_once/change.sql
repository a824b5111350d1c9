alter table kilns rename id to kiln_id;
