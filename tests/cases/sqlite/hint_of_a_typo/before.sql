create table parcels (received_at text, weight real, height real);
